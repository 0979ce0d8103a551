//! A line that a function printed, in the log of `herald-local`.
//!
//! The functions print each line with its level and the span of `lambda_runtime`, as CloudWatch shows it. Here
//! the log has a level of its own, so the line gives its level to it and keeps only its text and its request id.

use tracing::Level;

/// The levels as `tracing_subscriber` prints them.
const LEVELS: [(&str, Level); 5] = [
    ("ERROR", Level::ERROR),
    ("WARN", Level::WARN),
    ("INFO", Level::INFO),
    ("DEBUG", Level::DEBUG),
    ("TRACE", Level::TRACE),
];

/// The beginning of the span of an invocation, as `lambda_runtime` names it.
const SPAN: &str = r#"Lambda runtime invoke{requestId=""#;

/// The error of an authorizer that refuses a client, as `lambda_runtime` prints it. It is no failure, and the line of
/// the invocation has it as well.
const REFUSAL: &str = r#""Unauthorized""#;

/// One line, without colours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PrintedLine<'a> {
    level: Level,
    request_id: Option<&'a str>,
    text: &'a str,
}

impl<'a> PrintedLine<'a> {
    /// Reads a line. A line without a level is information. Metrics, which are for CloudWatch, and an authorizer's
    /// refusal are for debugging.
    pub(super) fn parse(line: &'a str) -> Self {
        if is_metrics(line) {
            return Self::plain(Level::DEBUG, line);
        }
        let Some((level, text)) = level_and_text(line) else {
            return Self::plain(Level::INFO, line);
        };
        let (request_id, text) = match request_id_and_text(text) {
            Some((request_id, text)) => (Some(request_id), text),
            None => (None, text),
        };
        let level = if text == REFUSAL { Level::DEBUG } else { level };
        Self {
            level,
            request_id,
            text,
        }
    }

    fn plain(level: Level, text: &'a str) -> Self {
        Self {
            level,
            request_id: None,
            text,
        }
    }

    /// Logs the line at its level, with the target `herald_local::function` and the field `function`.
    pub(super) fn log(&self, function: &str) {
        // The level of an event is a constant.
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(
                    target: "herald_local::function",
                    $level,
                    function,
                    request_id = self.request_id,
                    "{}",
                    self.text
                )
            };
        }
        match self.level {
            Level::ERROR => log!(Level::ERROR),
            Level::WARN => log!(Level::WARN),
            Level::INFO => log!(Level::INFO),
            Level::DEBUG => log!(Level::DEBUG),
            Level::TRACE => log!(Level::TRACE),
        }
    }
}

/// Returns whether a line is in CloudWatch's embedded metric format.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn is_metrics(line: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Metrics {
        #[serde(rename = "_aws")]
        _aws: serde::de::IgnoredAny,
    }
    line.starts_with('{') && serde_json::from_str::<Metrics>(line).is_ok()
}

fn level_and_text(line: &str) -> Option<(Level, &str)> {
    let (word, text) = line.trim_start().split_once(' ')?;
    let (_, level) = LEVELS.into_iter().find(|(name, _)| *name == word)?;
    Some((level, text))
}

fn request_id_and_text(text: &str) -> Option<(&str, &str)> {
    let (request_id, rest) = text.strip_prefix(SPAN)?.split_once('"')?;
    let (_, text) = rest.split_once("}: ")?;
    Some((request_id, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_and_request_id_are_read_from_the_line() {
        let check = |line: &str, level, request_id, text: &str| {
            let expected = PrintedLine {
                level,
                request_id,
                text,
            };
            assert_eq!(PrintedLine::parse(line), expected);
        };
        let invoke = r#"Lambda runtime invoke{requestId="r-1" xrayTraceId="Root=1-a;Sampled=0"}: "#;
        check(
            &format!(" INFO {invoke}delivered a batch records=1"),
            Level::INFO,
            Some("r-1"),
            "delivered a batch records=1",
        );
        let refusal = r#""Unauthorized""#;
        check(
            &format!("ERROR {invoke}{refusal}"),
            Level::DEBUG,
            Some("r-1"),
            refusal,
        );
        check("ERROR no table", Level::ERROR, None, "no table");
        check(" WARN slow: {a}: b", Level::WARN, None, "slow: {a}: b");
        check("DEBUG a", Level::DEBUG, None, "a");
        check("TRACE a", Level::TRACE, None, "a");
        for text in ["", "INFO", "1 order", "INFORMATION is here", " indented"] {
            check(text, Level::INFO, None, text);
        }
    }

    #[test]
    fn metrics_are_for_debugging_and_other_json_is_not() {
        for (line, level) in [
            (r#"{"_aws":{"Timestamp":1},"Lag":[1]}"#, Level::DEBUG),
            (r#"{"Lag":1,"_aws":{}}"#, Level::DEBUG),
            (r#"{"message":"_aws"}"#, Level::INFO),
            (r#"{"_aws": "#, Level::INFO),
        ] {
            assert_eq!(PrintedLine::parse(line), PrintedLine::plain(level, line));
        }
    }
}
