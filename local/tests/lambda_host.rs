//! The Lambda host with a real function process: its life cycle is what
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html> describes.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::poll;
use herald_local::{
    lambda::{FunctionError, FunctionProcess, Host, HostSettings, Invocation, Invoke, binaries},
    template::Function,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The logical id of the one function of most tests.
const FUNCTION: &str = "Scripted";

#[tokio::test]
async fn sequential_invocations_share_one_process() {
    let host = host(HostSettings::default()).await;
    let first = returned(invoke(&host, json!({ "do": "pid" })).await);
    let second = returned(invoke(&host, json!({ "do": "pid" })).await);
    assert_eq!(first, second);
    assert_eq!(host.started(FUNCTION), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn concurrent_invocations_get_a_process_each() {
    let host = host(HostSettings::default()).await;
    let (first, second) = (Gate::new(), Gate::new());
    let open_both = async {
        first.reached().await;
        second.reached().await;
        first.open();
        second.open();
    };
    let (one, other, ()) = tokio::join!(
        invoke(&host, first.meet()),
        invoke(&host, second.meet()),
        open_both
    );
    assert_ne!(returned(one), returned(other));
    assert_eq!(host.started(FUNCTION), 2);
    host.shutdown().await;
}

#[tokio::test]
async fn more_invocations_than_environments_wait_and_are_served_in_their_order() {
    let host = host_with_one_process(TIMEOUT).await;
    let gate = Gate::new();
    let served = Mutex::new(Vec::new());
    let serve = async |number: usize, event: Value| {
        let process = returned(invoke(&host, event).await);
        served.lock().unwrap().push((number, process));
    };
    tokio::join!(
        serve(0, gate.meet()),
        serve(1, json!({ "do": "pid" })),
        serve(2, json!({ "do": "pid" })),
        serve(3, json!({ "do": "pid" })),
        async {
            gate.reached().await;
            assert_eq!(*served.lock().unwrap(), []);
            gate.open();
        }
    );
    let (order, processes): (Vec<_>, BTreeSet<_>) = served
        .into_inner()
        .unwrap()
        .into_iter()
        .map(|(number, process)| (number, process.to_string()))
        .unzip();
    assert_eq!(order, [0, 1, 2, 3]);
    assert_eq!(processes.len(), 1);
    assert_eq!(host.started(FUNCTION), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn a_caller_that_waits_no_longer_takes_its_event_back() {
    let host = host_with_one_process(TIMEOUT).await;
    let (gate, forgotten) = (Gate::new(), Gate::new());
    let give_up_and_stay = async {
        gate.reached().await;
        let mut gives_up = Box::pin(invoke(&host, forgotten.meet()));
        let mut stays = Box::pin(invoke(&host, json!({ "do": "echo" })));
        assert!(poll!(&mut gives_up).is_pending());
        assert!(poll!(&mut stays).is_pending());
        drop(gives_up);
        gate.open();
        stays.await
    };
    let (_, stayed) = tokio::join!(invoke(&host, gate.meet()), give_up_and_stay);
    returned(stayed);
    assert!(!forgotten.is_reached());
    host.shutdown().await;
}

#[tokio::test]
async fn an_invocation_keeps_its_place_when_its_caller_stops_waiting() {
    let host = host_with_one_process(TIMEOUT).await;
    let gate = Gate::new();
    let mut abandoned = Box::pin(invoke(&host, gate.meet()));
    tokio::select! {
        _ = &mut abandoned => panic!("the gate is closed"),
        () = gate.reached() => {}
    }
    drop(abandoned);
    let mut next = Box::pin(invoke(&host, json!({ "do": "echo" })));
    assert!(poll!(&mut next).is_pending());
    assert_eq!(host.started(FUNCTION), 1);
    gate.open();
    returned(next.await);
    assert_eq!(host.started(FUNCTION), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn every_end_of_an_invocation_gives_its_place_to_the_next() {
    let cases = [
        ("error", TIMEOUT),
        ("panic", TIMEOUT),
        ("exit", TIMEOUT),
        ("large", TIMEOUT),
        ("hang", Duration::from_millis(250)),
    ];
    for (how, timeout) in cases {
        let host = host_with_one_process(timeout).await;
        let (ended, next) = tokio::join!(
            invoke(&host, json!({ "do": how })),
            invoke(&host, json!({ "do": "pid" }))
        );
        failed(ended);
        returned(next);
        host.shutdown().await;
    }
}

#[tokio::test]
async fn a_killed_process_gives_its_place_to_the_next() {
    let host = host_with_one_process(TIMEOUT).await;
    let gate = Gate::new();
    let kill = async {
        gate.reached().await;
        host.kill(FUNCTION);
    };
    let (killed, next, ()) = tokio::join!(
        invoke(&host, gate.meet()),
        invoke(&host, json!({ "do": "pid" })),
        kill
    );
    failed(killed);
    returned(next);
    host.shutdown().await;
}

#[tokio::test]
async fn the_time_limit_starts_after_the_wait_for_a_process() {
    let host = host_with_one_process(TIMEOUT).await;
    let gate = Gate::new();
    let open = async {
        gate.reached().await;
        let opened_at = since_the_epoch();
        gate.open();
        opened_at
    };
    let (_, context, opened_at) = tokio::join!(
        invoke(&host, gate.meet()),
        invoke(&host, json!({ "do": "context" })),
        open
    );
    let deadline = u128::from(returned(context)["deadline"].as_u64().unwrap());
    assert!(deadline >= (opened_at + TIMEOUT).as_millis(), "{deadline}");
    host.shutdown().await;
}

#[tokio::test]
async fn an_error_is_the_functions_own_and_the_process_lives_on() {
    let host = host(HostSettings::default()).await;
    let error = failed(invoke(&host, json!({ "do": "error" })).await);
    assert_eq!(error.error_message, "no such order");
    works_with_processes_started(&host, 1).await;
    host.shutdown().await;
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_process_lives_on() {
    let host = host(HostSettings::default()).await;
    let error = failed(invoke(&host, json!({ "do": "panic" })).await);
    assert!(error.error_message.contains("a bug"), "{error:?}");
    works_with_processes_started(&host, 1).await;
    host.shutdown().await;
}

#[tokio::test]
async fn an_exit_fails_its_invocation_and_the_next_one_gets_a_fresh_process() {
    let host = host(HostSettings::default()).await;
    let error = failed(invoke(&host, json!({ "do": "exit" })).await);
    assert_eq!(error.error_type, "Runtime.ExitError");
    let how = "Error: Runtime exited with error: exit status 4";
    assert!(error.error_message.ends_with(how), "{error:?}");
    works_with_processes_started(&host, 2).await;
    host.shutdown().await;
}

#[tokio::test]
async fn an_invocation_past_its_time_limit_is_killed_and_the_next_one_gets_a_fresh_process() {
    let function = Function {
        timeout: Duration::from_millis(250),
        ..function(&[])
    };
    let host = host_of(function, HostSettings::default()).await;
    host.warm_up().await.unwrap();
    let process = host.process_ids(FUNCTION)[0];
    let error = failed(invoke(&host, json!({ "do": "hang" })).await);
    assert_eq!(error.error_type, "Sandbox.Timedout");
    let how = "Task timed out after 0.25 seconds";
    assert!(error.error_message.ends_with(how), "{error:?}");
    assert!(!runs(process));
    invoke(&host, json!({ "do": "pid" })).await;
    assert_eq!(host.started(FUNCTION), 2);
    host.shutdown().await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_the_invocation() {
    let host = host(HostSettings::default()).await;
    let error = failed(invoke(&host, json!({ "do": "large" })).await);
    assert_eq!(error.error_type, "Function.ResponseSizeTooLarge");
    host.shutdown().await;
}

#[tokio::test]
async fn a_killed_process_fails_what_it_worked_on_and_is_replaced() {
    let host = host(HostSettings::default()).await;
    let gate = Gate::new();
    let kill_while_busy = async {
        gate.reached().await;
        host.kill(FUNCTION);
    };
    let (invocation, ()) = tokio::join!(invoke(&host, gate.meet()), kill_while_busy);
    let error = failed(invocation);
    assert!(error.error_message.ends_with("signal: killed"), "{error:?}");
    works_with_processes_started(&host, 2).await;

    host.kill(FUNCTION);
    works_with_processes_started(&host, 3).await;
    host.shutdown().await;
}

#[tokio::test]
async fn an_idle_process_that_was_killed_from_outside_is_replaced() {
    let host = host(HostSettings::default()).await;
    host.warm_up().await.unwrap();
    let process = host.process_ids(FUNCTION)[0];
    signal_kill(process);
    until(|| host.process_ids(FUNCTION).is_empty()).await;
    works_with_processes_started(&host, 2).await;
    host.shutdown().await;
}

#[tokio::test]
async fn an_idle_process_is_ended_after_a_while() {
    let host = host(HostSettings {
        idle_limit: Duration::from_millis(20),
        ..HostSettings::default()
    })
    .await;
    invoke(&host, json!({ "do": "pid" })).await;
    until(|| host.process_ids(FUNCTION).is_empty()).await;
    works_with_processes_started(&host, 2).await;
    host.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_frozen_process_does_nothing_until_its_next_event() {
    let host = host(HostSettings {
        freeze: true,
        ..HostSettings::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let [gate, done] = ["gate", "done"].map(|name| folder.path().join(name));
    let event = json!({ "do": "spawn_background", "gate": &gate, "done": &done });
    let process = returned(invoke(&host, event).await).as_u64().unwrap();
    let process = u32::try_from(process).unwrap();
    until(|| state(process) == Some('T')).await;

    fs::write(&gate, "").unwrap();
    assert!(!done.exists(), "a stopped process did something");
    assert_eq!(state(process), Some('T'));

    let arrived = folder.path().join("arrived");
    let event = json!({ "do": "meet", "arrived": &arrived, "gate": &done });
    assert_eq!(returned(invoke(&host, event).await), json!(process));
    host.shutdown().await;
}

#[tokio::test]
async fn a_process_that_is_not_frozen_goes_on_between_events() {
    let host = host(HostSettings::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let [gate, done] = ["gate", "done"].map(|name| folder.path().join(name));
    let event = json!({ "do": "spawn_background", "gate": &gate, "done": &done });
    returned(invoke(&host, event).await);
    fs::write(&gate, "").unwrap();
    until(|| done.exists()).await;
    host.shutdown().await;
}

#[tokio::test]
async fn the_runtime_is_told_its_deadline_function_and_trace() {
    let host = host(HostSettings::default()).await;
    let before = (since_the_epoch() + TIMEOUT).as_millis();
    let context = returned(invoke(&host, json!({ "do": "context" })).await);
    let after = (since_the_epoch() + TIMEOUT).as_millis();
    let deadline = u128::from(context["deadline"].as_u64().unwrap());
    assert!((before..=after).contains(&deadline), "{deadline}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:stack-Scripted";
    assert_eq!(context["arn"], arn);
    assert!(context["traceId"].as_str().unwrap().starts_with("Root=1-"));
    host.shutdown().await;
}

#[tokio::test]
async fn a_function_sees_its_variables_and_nothing_of_this_machine() {
    let host = host_of(
        function(&[("TABLE", "rows")]),
        HostSettings {
            environment: pairs(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]),
            ..HostSettings::default()
        },
    )
    .await;
    let variables = returned(invoke(&host, json!({ "do": "variables" })).await);
    let variables: BTreeMap<String, String> =
        serde_json::from_value::<Vec<(String, String)>>(variables)
            .unwrap()
            .into_iter()
            .collect();
    assert_eq!(variables["TABLE"], "rows");
    assert_eq!(variables["AWS_ENDPOINT_URL"], "http://127.0.0.1:1");
    assert_eq!(variables["AWS_LAMBDA_FUNCTION_NAME"], "stack-Scripted");
    let known = [
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "PATH",
        "TABLE",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        // Set by the runtime from the event's header, and by macOS for every process.
        "_X_AMZN_TRACE_ID",
        "__CF_USER_TEXT_ENCODING",
    ];
    let strange: Vec<&String> = variables
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
    host.shutdown().await;
}

#[tokio::test]
async fn a_function_that_dies_at_start_is_named_with_its_exit_status_and_last_lines() {
    let cases = [
        ("exit", "exit status 3", "the table has no name"),
        ("panic", "exit status 101", "no configuration"),
        ("report", "Config: no table", ""),
    ];
    for (at_start, how, last_line) in cases {
        let host = host_of(function(&[("AT_START", at_start)]), HostSettings::default()).await;
        let sentence = host.warm_up().await.unwrap_err().to_string();
        assert!(
            sentence.starts_with("function Scripted failed at start: "),
            "{sentence}"
        );
        assert!(sentence.contains(how), "{sentence}");
        assert!(sentence.contains(last_line), "{sentence}");
        host.shutdown().await;
    }
}

#[tokio::test]
async fn an_invocation_fails_when_its_process_dies_at_start_and_each_tries_once() {
    let host = host_of(function(&[("AT_START", "exit")]), HostSettings::default()).await;
    for started in 1..=2 {
        let error = failed(invoke(&host, json!({ "do": "pid" })).await);
        assert_eq!(error.error_type, "Runtime.ExitError");
        assert_eq!(host.started(FUNCTION), started);
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_process_that_does_not_get_ready_in_time_is_ended() {
    let host = host_of(
        function(&[("AT_START", "hang")]),
        HostSettings {
            init_limit: Duration::from_millis(250),
            ..HostSettings::default()
        },
    )
    .await;
    let error = failed(invoke(&host, json!({ "do": "pid" })).await);
    assert!(
        error
            .error_message
            .ends_with("Init timed out after 0.25 seconds"),
        "{error:?}"
    );
    assert!(host.process_ids(FUNCTION).is_empty());
    host.shutdown().await;
}

#[tokio::test]
async fn a_warmed_up_function_needs_no_second_process() {
    let host = host(HostSettings::default()).await;
    host.warm_up().await.unwrap();
    works_with_processes_started(&host, 1).await;
    host.shutdown().await;
}

#[tokio::test]
async fn a_missing_binary_is_one_clear_sentence() {
    let functions = vec![FunctionProcess {
        function: function(&[]),
        binary: "/no/such/binary".into(),
    }];
    let error = Host::start(functions, HostSettings::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "function Scripted has no binary at /no/such/binary: build it first"
    );
}

#[tokio::test]
async fn an_unknown_function_is_refused() {
    let host = host(HostSettings::default()).await;
    let refused = Invocation::Refused("there is no function Nobody".to_owned());
    assert_eq!(host.invoke("Nobody", Bytes::from("{}")).await, refused);
    host.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_leaves_no_process_and_refuses_what_waits_or_comes_later() {
    let host = host_with_one_process(TIMEOUT).await;
    let gate = Gate::new();
    let shut_down_while_busy = async {
        gate.reached().await;
        let processes = host.process_ids(FUNCTION);
        host.shutdown().await;
        processes
    };
    let (busy, waiting, processes) = tokio::join!(
        invoke(&host, gate.meet()),
        invoke(&host, json!({ "do": "pid" })),
        shut_down_while_busy
    );
    assert_eq!(processes.len(), 1);
    assert!(!runs(processes[0]));
    failed(busy);
    let later = invoke(&host, json!({ "do": "pid" })).await;
    let refused = Invocation::Refused("the functions are shutting down".to_owned());
    assert_eq!([waiting, later], [refused.clone(), refused]);
    assert!(host.warm_up().await.is_err());
}

#[tokio::test]
async fn a_killed_host_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Command::new(example("scripted_host"))
        .arg(example("scripted_function"))
        .arg(folder.path().join("arrived"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = host.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let processes: Vec<u32> = serde_json::from_str(&line).unwrap();
    assert_eq!(processes.len(), 2);
    assert!(processes.iter().all(|process| runs(*process)));

    host.kill().unwrap();
    host.wait().unwrap();
    until(|| !processes.iter().any(|process| runs(*process))).await;
}

/// The time limit of [`function`].
const TIMEOUT: Duration = Duration::from_secs(60);

async fn host(settings: HostSettings) -> Host {
    host_of(function(&[]), settings).await
}

async fn host_with_one_process(timeout: Duration) -> Host {
    let function = Function {
        timeout,
        ..function(&[])
    };
    let settings = HostSettings {
        maximum_environments: 1,
        ..HostSettings::default()
    };
    host_of(function, settings).await
}

async fn host_of(function: Function, settings: HostSettings) -> Host {
    let functions = vec![FunctionProcess {
        function,
        binary: example("scripted_function"),
    }];
    Host::start(functions, settings).unwrap()
}

fn function(environment: &[(&str, &str)]) -> Function {
    Function {
        logical_id: FUNCTION.to_owned(),
        name: format!("stack-{FUNCTION}"),
        binary: "scripted_function".to_owned(),
        code: ".".into(),
        environment: pairs(environment),
        timeout: TIMEOUT,
        memory_mb: 128,
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// `cargo test` builds the examples, too; with `--test` it does not.
fn example(name: &str) -> PathBuf {
    let path = binaries::build_folder()
        .unwrap()
        .join("examples")
        .join(name);
    assert!(
        path.exists(),
        "run `cargo build -p herald-local --examples` first"
    );
    path
}

async fn invoke(host: &Host, event: Value) -> Invocation {
    host.invoke(FUNCTION, event.to_string().into()).await
}

/// What an invocation meets and waits at until the test lets it go on.
struct Gate(TempDir);

impl Gate {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The event whose invocation returns its process id once the gate is open.
    fn meet(&self) -> Value {
        json!({ "do": "meet", "arrived": self.file("arrived"), "gate": self.file("open") })
    }

    fn is_reached(&self) -> bool {
        self.file("arrived").exists()
    }

    async fn reached(&self) {
        until(|| self.is_reached()).await;
    }

    fn open(&self) {
        fs::write(self.file("open"), "").unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn since_the_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Checks that the function works, and how many processes that has taken since the host started.
async fn works_with_processes_started(host: &Host, started: usize) {
    let event = json!({ "do": "echo" });
    assert_eq!(returned(invoke(host, event.clone()).await), event);
    assert_eq!(host.started(FUNCTION), started);
}

fn returned(invocation: Invocation) -> Value {
    match invocation {
        Invocation::Returned(answer) => serde_json::from_slice(&answer).unwrap(),
        other => panic!("the function should have returned: {other:?}"),
    }
}

fn failed(invocation: Invocation) -> FunctionError {
    match invocation {
        Invocation::Failed(error) => error,
        other => panic!("the function should have failed: {other:?}"),
    }
}

/// Waits for something that must come; the limit only ends a test that has failed.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, wait)
        .await
        .expect("it should have come about");
}

/// Whether a process runs; one that has ended but was not waited for does not.
fn runs(process: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        return !matches!(state(process), None | Some('Z' | 'X'));
    }
    rustix::process::test_kill_process(id(process)).is_ok()
}

/// The state letter of a process as Linux tells it.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before the state is in brackets and may hold anything.
    stat.rsplit_once(") ")?.1.chars().next()
}

fn signal_kill(process: u32) {
    rustix::process::kill_process(id(process), rustix::process::Signal::KILL).unwrap();
}

fn id(process: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap()
}
