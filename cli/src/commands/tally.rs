//! The results of many similar operations: how many succeeded and how many failed.

use super::counted;
use crate::failure::Failure;

/// The counts of succeeded and failed operations. Each failure is printed when it happens.
#[derive(Debug)]
pub(super) struct Tally {
    /// The noun for one operation's subject: `message`.
    noun: &'static str,
    succeeded: u64,
    failed: u64,
    last_failure: Option<Failure>,
}

impl Tally {
    /// Makes an empty tally. `noun` names the subject of one operation: `message`.
    pub(super) fn of(noun: &'static str) -> Self {
        Self {
            noun,
            succeeded: 0,
            failed: 0,
            last_failure: None,
        }
    }

    /// Counts a success.
    pub(super) fn succeeded(&mut self) {
        self.succeeded += 1;
    }

    /// Counts a failure and prints it.
    pub(super) fn failed(&mut self, failure: Failure) {
        failure.print();
        self.failed += 1;
        self.last_failure = Some(failure);
    }

    /// Returns the result of all operations: [`Failure::Partial`] if some failed, and a failure like the last one if
    /// all did.
    pub(super) fn into_result(self) -> Result<(), Failure> {
        let failed = self.failed;
        let all = counted(self.succeeded + failed, self.noun);
        match (self.succeeded, self.last_failure) {
            (_, None) => Ok(()),
            (0, Some(failure)) => Err(failure.with_message(format!("{failed} of {all} failed"))),
            (_, Some(_)) => Err(Failure::partial(format!("{failed} of {all} failed"))),
        }
    }

    /// Returns the failure of all operations when `failure` ended them early: [`Failure::Partial`] if some succeeded.
    pub(super) fn aborted(self, failure: Failure) -> Failure {
        match failure {
            Failure::Interrupted | Failure::OutputClosed => failure,
            failure if self.succeeded == 0 => failure,
            failure => Failure::Partial(failure.into_error().context(format!(
                "aborted after {}",
                counted(self.succeeded, self.noun)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(successes: u64, failures: impl IntoIterator<Item = Failure>) -> Tally {
        let mut tally = Tally::of("message");
        (0..successes).for_each(|_| tally.succeeded());
        failures
            .into_iter()
            .for_each(|failure| tally.failed(failure));
        tally
    }

    /// Returns whether a failure is partial, and its text.
    fn described(failure: Failure) -> (bool, String) {
        let is_partial = matches!(failure, Failure::Partial(_));
        assert!(is_partial || matches!(failure, Failure::Refused(_)));
        (is_partial, format!("{:#}", failure.into_error()))
    }

    fn refused() -> Failure {
        Failure::refused("no")
    }

    #[test]
    fn result_is_partial_only_if_some_succeeded_and_some_failed() {
        assert!(tally(0, []).into_result().is_ok());
        assert!(tally(3, []).into_result().is_ok());
        for (tally, is_partial, text) in [
            (tally(0, [refused()]), false, "1 of 1 message failed"),
            (
                tally(0, [refused(), refused()]),
                false,
                "2 of 2 messages failed",
            ),
            (tally(2, [refused()]), true, "1 of 3 messages failed"),
        ] {
            let failure = tally.into_result().expect_err(text);
            assert_eq!(described(failure), (is_partial, text.to_owned()));
        }
    }

    #[test]
    fn aborted_work_is_partial_if_some_succeeded() {
        for (successes, is_partial, text) in [
            (0, false, "no"),
            (1, true, "aborted after 1 message: no"),
            (2, true, "aborted after 2 messages: no"),
        ] {
            let failure = tally(successes, []).aborted(refused());
            assert_eq!(described(failure), (is_partial, text.to_owned()));
        }
    }
}
