//! What became of many things that were to be done: each failure is told when it happens, and the end
//! says whether all, some or none was done.

use crate::failure::Failure;

/// How many were done and how many were not.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    done: u64,
    failed: u64,
    last_failure: Option<Failure>,
}

impl Outcome {
    /// One more was done.
    pub(super) fn done(&mut self) {
        self.done += 1;
    }

    /// One more was not, and the person at the terminal is told why.
    pub(super) fn failed(&mut self, failure: Failure) {
        failure.tell();
        self.failed += 1;
        self.last_failure = Some(failure);
    }

    /// All were done, or else what has to be said at the end: a failure like the last one if none was,
    /// and that it is in part if some were. `what` names them: `messages`.
    pub(super) fn into_result(self, what: &str) -> Result<(), Failure> {
        let (failed, all) = (self.failed, self.done + self.failed);
        match (self.done, self.last_failure) {
            (_, None) => Ok(()),
            (0, Some(failure)) => Err(failure.saying(format!("none of {all} {what} went through"))),
            (_, Some(_)) => Err(Failure::partial(format!(
                "{failed} of {all} {what} did not go through"
            ))),
        }
    }

    /// What has to be said when `failure` ends the work before all was tried: that it is in part, if some
    /// were done.
    pub(super) fn broken_off(self, failure: Failure, what: &str) -> Failure {
        match failure {
            Failure::Interrupted | Failure::NobodyReads => failure,
            failure if self.done == 0 => failure,
            failure => Failure::Partial(
                failure
                    .into_error()
                    .context(format!("{} {what} went through, and then", self.done)),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(done: u64, failures: impl IntoIterator<Item = Failure>) -> Outcome {
        let mut outcome = Outcome::default();
        (0..done).for_each(|_| outcome.done());
        failures
            .into_iter()
            .for_each(|failure| outcome.failed(failure));
        outcome
    }

    /// The kind of a failure, and its words.
    fn told(failure: Failure) -> (bool, String) {
        let is_partial = matches!(failure, Failure::Partial(_));
        assert!(is_partial || matches!(failure, Failure::Refused(_)));
        (is_partial, format!("{:#}", failure.into_error()))
    }

    fn refused() -> Failure {
        Failure::refused("no")
    }

    #[test]
    fn the_end_says_whether_all_some_or_none_was_done() {
        assert!(outcome(0, []).into_result("messages").is_ok());
        assert!(outcome(3, []).into_result("messages").is_ok());
        for (outcome, is_partial, words) in [
            (
                outcome(0, [refused(), refused()]),
                false,
                "none of 2 messages went through",
            ),
            (
                outcome(2, [refused()]),
                true,
                "1 of 3 messages did not go through",
            ),
        ] {
            let failure = outcome.into_result("messages").expect_err(words);
            assert_eq!(told(failure), (is_partial, words.to_owned()));
        }
    }

    #[test]
    fn work_that_is_broken_off_was_done_in_part_if_some_was() {
        for (done, is_partial, words) in [
            (0, false, "no"),
            (2, true, "2 messages went through, and then: no"),
        ] {
            let failure = outcome(done, []).broken_off(refused(), "messages");
            assert_eq!(told(failure), (is_partial, words.to_owned()));
        }
    }
}
