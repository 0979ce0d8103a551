//! What a template describes, once every intrinsic is resolved.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Everything of a template that is run on this machine, and the names of what is not.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The stack's name, `AWS::StackName`.
    pub name: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// The values of the template's parameters by name, lists joined by commas.
    pub parameters: BTreeMap<String, String>,
    /// The one WebSocket API.
    pub web_socket_api: WebSocketApi,
    /// The Lambda functions.
    pub functions: Vec<Function>,
    /// The functions' roles, one each.
    pub roles: Vec<Role>,
    /// The DynamoDB tables.
    pub tables: Vec<Table>,
    /// The SQS queues.
    pub queues: Vec<Queue>,
    /// Which queue feeds which function.
    pub event_source_mappings: Vec<EventSourceMapping>,
    /// The EventBridge buses, `default` always among them.
    pub buses: Vec<Bus>,
    /// The EventBridge rules.
    pub rules: Vec<Rule>,
    /// The secrets of Secrets Manager.
    pub secrets: Vec<Secret>,
    /// The template's outputs by name.
    pub outputs: BTreeMap<String, String>,
    /// What has no meaning on this machine.
    pub not_run: Vec<NotRun>,
}

/// An API Gateway WebSocket API with its stage.
#[derive(Clone, Debug)]
pub struct WebSocketApi {
    /// The logical id in the template.
    pub logical_id: String,
    /// The API id, ten characters.
    pub api_id: String,
    /// The stage's name: the first path segment of every address.
    pub stage: String,
    /// Which part of a message chooses the route, e.g. `$request.body.action`.
    pub route_selection_expression: String,
    /// The routes, `$connect`, `$disconnect` and `$default` among them where defined.
    pub routes: Vec<Route>,
    /// Who decides on `$connect`.
    pub authorizer: Option<Authorizer>,
    /// The stage's variables.
    pub stage_variables: BTreeMap<String, String>,
    /// The stage's request limit, if it sets one.
    pub throttle: Option<Throttle>,
}

/// One route and the function behind it.
#[derive(Clone, Debug)]
pub struct Route {
    /// The route key, e.g. `$connect` or `subscribe`.
    pub key: String,
    /// The function's logical id.
    pub function: String,
    /// How long the gateway waits for the function: 50 ms to 29 s.
    pub integration_timeout: Duration,
    /// Whether the function's body is sent back: the route names a response selection expression
    /// and has the route response `$default`.
    pub two_way: bool,
}

/// A Lambda REQUEST authorizer on `$connect`.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// The function's logical id.
    pub function: String,
    /// What a request must carry before the function is asked, e.g.
    /// `route.request.querystring.token`; none: it is always asked.
    pub identity_sources: Vec<String>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests per second.
    pub rate: f64,
    /// How many requests may come at once.
    pub burst: u32,
}

/// A Lambda function.
#[derive(Clone, Debug)]
pub struct Function {
    /// The logical id in the template.
    pub logical_id: String,
    /// The function's name.
    pub name: String,
    /// The name of its binary target in the package; the logical id if another program runs the
    /// function and no binary is known.
    pub binary: String,
    /// The folder of the package, absolute.
    pub code: PathBuf,
    /// The environment the template gives it.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Megabytes of memory; only told to the function, not enforced.
    pub memory_mb: u32,
}

/// The role that SAM makes for a function: what it may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// The function's logical id.
    pub function: String,
    /// The role's name.
    pub name: String,
    /// What the function's `Policies` say.
    pub policies: Vec<Statement>,
    /// What SAM adds by itself: logs, and for a function with a queue what its poller needs.
    pub managed: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether it allows or denies its calls.
    pub effect: Effect,
    /// The actions it is about, with wildcards; IAM compares them without regard to case.
    pub actions: Vec<String>,
    /// The ARNs it is about, with wildcards.
    pub resources: Vec<String>,
}

/// The effect of a statement on the calls it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Effect {
    /// They are allowed, unless another statement denies them.
    Allow,
    /// They are denied, regardless of other statements.
    Deny,
}

/// A DynamoDB table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The logical id in the template.
    pub logical_id: String,
    /// The table's name.
    pub name: String,
    /// The `CreateTable` request that makes it.
    pub create_table: Value,
    /// The attribute whose epoch second ends a row.
    pub time_to_live_attribute: Option<String>,
}

/// An SQS standard queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// The logical id in the template.
    pub logical_id: String,
    /// The queue's name.
    pub name: String,
    /// `arn:aws:sqs:{region}:{account}:{name}`.
    pub arn: String,
    /// The queue's address, `{endpoint}/{account}/{name}`.
    pub url: String,
    /// How long a received message stays hidden.
    pub visibility_timeout: Duration,
    /// How long a new message stays hidden.
    pub delay: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// How long a receive waits for a message when it does not say.
    pub receive_wait: Duration,
    /// The largest message, in bytes.
    pub maximum_message_size: usize,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// A queue's `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redrive {
    /// The dead-letter queue's ARN.
    pub dead_letter_queue: String,
    /// A message received this many times moves there instead of being received once more.
    pub max_receive_count: u32,
}

/// A Lambda event source mapping from a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSourceMapping {
    /// The function's logical id.
    pub function: String,
    /// The queue's ARN.
    pub queue: String,
    /// The most records of one invocation.
    pub batch_size: usize,
    /// How long records are gathered for one invocation.
    pub window: Duration,
    /// How many invocations may run at once.
    pub maximum_concurrency: Option<usize>,
    /// Whether the function answers which records failed.
    pub report_batch_item_failures: bool,
}

/// An EventBridge event bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// The logical id, unless it is the account's default bus or one made elsewhere.
    pub logical_id: Option<String>,
    /// The bus's name.
    pub name: String,
}

/// An EventBridge rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The logical id in the template.
    pub logical_id: String,
    /// The rule's name.
    pub name: String,
    /// The rule's ARN.
    pub arn: String,
    /// The name of the bus it listens to.
    pub bus: String,
    /// The event pattern, as JSON.
    pub pattern: Value,
    /// Whether `State` is `ENABLED`.
    pub enabled: bool,
    /// Where matching events go.
    pub targets: Vec<Target>,
}

/// A rule's target: an SQS queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The target's id within the rule.
    pub id: String,
    /// The queue's ARN.
    pub queue: String,
    /// The queue for events that cannot be delivered.
    pub dead_letter_queue: Option<String>,
}

/// A secret of Secrets Manager.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The logical id in the template.
    pub logical_id: String,
    /// The secret's name.
    pub name: String,
    /// `arn:aws:secretsmanager:{region}:{account}:secret:{name}-{six characters}`.
    pub arn: String,
    /// Where its text comes from.
    pub text: SecretText,
}

/// Where the text of a secret comes from.
#[derive(Clone)]
pub enum SecretText {
    /// `SecretString`: it stands in the template or in a parameter.
    Given(String),
    /// `GenerateSecretString`: a password that is made up at every start.
    Generated {
        /// What the password is made of.
        password: PasswordRules,
        /// The JSON object that the password is put into, and its key there; none: it stands alone.
        within: Option<(Map<String, Value>, String)>,
    },
    /// It has none until somebody puts one.
    Empty,
}

impl fmt::Debug for SecretText {
    /// Says nothing of the text itself.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Given(_) => "Given",
            Self::Generated { .. } => "Generated",
            Self::Empty => "Empty",
        })
    }
}

/// What a generated password is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// How many characters it has.
    pub length: usize,
    /// The kinds of characters it is made of, each a list of them; none is empty.
    pub kinds: Vec<String>,
    /// Whether it holds a character of each kind.
    pub each_kind: bool,
}

/// A resource that has no meaning on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct NotRun {
    /// The logical id in the template.
    pub logical_id: String,
    /// The resource type, e.g. `AWS::CloudWatch::Alarm`.
    pub kind: String,
}
