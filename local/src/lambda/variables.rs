//! The environment variables of a function process. It sees no others: variables of the developer's
//! machine (an AWS profile, real credentials, `HOME` with `~/.aws` in it) must not reach a
//! function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html> lists what Lambda sets.
//! `LAMBDA_TASK_ROOT` is the folder of the binary here, because a function may look for files there.

use std::{collections::BTreeMap, path::Path};

use crate::template::Function;

/// The variables that a function inherits from `herald-local`: without them some binaries do not
/// find their libraries or their temporary folder.
pub(super) const INHERITED: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "TMPDIR"];

/// The sources of a function's variables.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    /// The function, with its variables of the template.
    pub(super) function: &'a Function,
    /// The function's binary.
    pub(super) binary: &'a Path,
    /// The region of the stack.
    pub(super) region: &'a str,
    /// Values of [`INHERITED`] variables.
    pub(super) inherited: BTreeMap<String, String>,
    /// The variables with the function's credentials, if it has any.
    pub(super) credentials: Option<&'a BTreeMap<String, String>>,
    /// Variables of every function: endpoints.
    pub(super) extra: &'a BTreeMap<String, String>,
    /// `host:port` of the Runtime API of this environment.
    pub(super) runtime_api: &'a str,
    /// The name of the log stream.
    pub(super) log_stream: &'a str,
}

/// Returns all variables of one environment. Later sources override earlier ones: Lambda's
/// defaults, the inherited variables, the template, the credentials, the extra ones, and Lambda's
/// reserved variables.
pub(super) fn variables(sources: Sources<'_>) -> BTreeMap<String, String> {
    let Sources {
        function,
        binary,
        region,
        inherited,
        credentials,
        extra,
        runtime_api,
        log_stream,
    } = sources;
    let defaults = [
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TZ", "UTC"),
    ];
    let memory = function.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", function.name);
    let task_root = binary.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let reserved = [
        ("_HANDLER", "bootstrap"),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("LAMBDA_TASK_ROOT", &task_root),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ];
    owned(&defaults)
        .chain(inherited)
        .chain(function.environment.clone())
        .chain(credentials.cloned().unwrap_or_default())
        .chain(extra.clone())
        .chain(owned(&reserved))
        .collect()
}

fn owned(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path, time::Duration};

    use super::{Sources, variables};
    use crate::template::Function;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        super::owned(pairs).collect()
    }

    #[test]
    fn later_sources_override_earlier_ones() {
        let function = Function {
            logical_id: "Echo".to_owned(),
            name: "stack-Echo".to_owned(),
            binary: "echo".to_owned(),
            code: "/code".into(),
            environment: pairs(&[
                ("TABLE", "rows"),
                ("TZ", "CET"),
                ("AWS_REGION", "mars-1"),
                ("AWS_ACCESS_KEY_ID", "AKIA"),
            ]),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
        };
        let variables = variables(Sources {
            function: &function,
            binary: Path::new("/target/debug/echo"),
            region: "eu-west-1",
            inherited: pairs(&[("PATH", "/opt/bin")]),
            credentials: Some(&pairs(&[("AWS_ACCESS_KEY_ID", "ASIA")])),
            extra: &pairs(&[("AWS_ENDPOINT_URL", "http://here"), ("TABLE", "rows-2")]),
            runtime_api: "127.0.0.1:9",
            log_stream: "stream",
        });
        let expected = pairs(&[
            ("AWS_ACCESS_KEY_ID", "ASIA"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", "http://here"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_FUNCTION_NAME", "stack-Echo"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/stack-Echo"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
            ("AWS_REGION", "eu-west-1"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("LAMBDA_TASK_ROOT", "/target/debug"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/opt/bin"),
            ("TABLE", "rows-2"),
            ("TZ", "CET"),
            ("_HANDLER", "bootstrap"),
        ]);
        assert_eq!(variables, expected);
    }
}
