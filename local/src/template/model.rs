//! The stack that a template describes, with every intrinsic evaluated.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use crate::eventbridge::input::Input;

/// The resources of a template that this machine runs, and the names of the others.
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
    /// The mappings from queues to the functions they feed.
    pub event_source_mappings: Vec<EventSourceMapping>,
    /// The EventBridge buses, always including `default`.
    pub buses: Vec<Bus>,
    /// The EventBridge rules.
    pub rules: Vec<Rule>,
    /// The secrets of Secrets Manager.
    pub secrets: Vec<Secret>,
    /// The functions' URLs.
    pub function_urls: Vec<FunctionUrl>,
    /// The template's outputs by name.
    pub outputs: BTreeMap<String, String>,
    /// The names of the outputs that other stacks may import, by the names of their exports.
    pub exports: BTreeMap<String, String>,
    /// The resources that are not run.
    pub not_run: Vec<NotRun>,
}

impl Stack {
    /// Returns the value of an export, which may be named with the name of any stack in place of this one's.
    pub(super) fn exported(&self, name: &str) -> Option<&str> {
        let mut exports = self.exports.iter();
        let (_, output) = exports.find(|(export, _)| {
            let rest = export.strip_prefix(&self.name);
            rest.map_or(name == export.as_str(), |rest| name.ends_with(rest))
        })?;
        self.outputs.get(output).map(String::as_str)
    }

    /// Returns the values of the exported outputs by their names.
    pub(super) fn exported_outputs(&self) -> BTreeMap<String, String> {
        let exported = self.exports.values();
        exported
            .filter_map(|name| self.outputs.get_key_value(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
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
    /// The part of a message that selects the route, e.g. `$request.body.action`.
    pub route_selection_expression: String,
    /// The routes, including `$connect`, `$disconnect` and `$default` where defined.
    pub routes: Vec<Route>,
    /// The authorizer of `$connect`.
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
    /// The time that the gateway waits for the function: 50 ms to 29 s.
    pub integration_timeout: Duration,
    /// True if the function's body is sent to the client: the route has a response selection
    /// expression and the route response `$default`.
    pub two_way: bool,
}

/// A Lambda REQUEST authorizer on `$connect`.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// The function's logical id.
    pub function: String,
    /// The parts that a request must have before the function is invoked, e.g.
    /// `route.request.querystring.token`. If there are none, it is always invoked.
    pub identity_sources: Vec<String>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throttle {
    /// Requests per second.
    pub rate: f64,
    /// The requests that may arrive at once.
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
    /// The time limit of one invocation.
    pub timeout: Duration,
    /// Megabytes of memory: passed to the function, but not enforced.
    pub memory_mb: u32,
}

/// The role that SAM generates for a function: the calls it may make.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// The function's logical id.
    pub function: String,
    /// The role's name.
    pub name: String,
    /// The statements of the function's `Policies`.
    pub policies: Vec<Statement>,
    /// The statements that SAM adds: for logs, and for the poller of a function with a queue.
    pub managed: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The effect on its calls: allow or deny.
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
    /// The `CreateTable` request that creates it.
    pub create_table: Value,
    /// The attribute with the epoch second at which a row expires.
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
    /// The time that a received message stays hidden.
    pub visibility_timeout: Duration,
    /// The time that a new message stays hidden.
    pub delay: Duration,
    /// The time that a message is kept.
    pub retention: Duration,
    /// The time that a receive waits for a message by default.
    pub receive_wait: Duration,
    /// The largest message, in bytes.
    pub maximum_message_size: usize,
    /// The policy for messages that were received too often.
    pub redrive: Option<Redrive>,
}

/// A queue's `RedrivePolicy`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redrive {
    /// The dead-letter queue's ARN.
    pub dead_letter_queue: String,
    /// The receives after which a message moves there instead of being received again.
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
    /// The time that records are gathered for one invocation.
    pub window: Duration,
    /// The invocations that may run at once.
    pub maximum_concurrency: Option<usize>,
    /// True if the function reports which records failed.
    pub report_batch_item_failures: bool,
}

/// An EventBridge event bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Bus {
    /// The logical id; `None` for the default bus, and a bus that the template does not create.
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
    /// True if `State` is `ENABLED`.
    pub enabled: bool,
    /// The targets of matching events.
    pub targets: Vec<Target>,
}

/// A rule's target: an SQS queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The target's id within the rule.
    pub id: String,
    /// The queue's ARN.
    pub queue: String,
    /// The text that it receives.
    pub input: Input,
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
    /// The source of its text.
    pub text: SecretText,
}

/// The source of a secret's text.
#[derive(Clone)]
pub enum SecretText {
    /// `SecretString`: a text of the template or of a parameter.
    Given(String),
    /// `GenerateSecretString`: a password that each start generates.
    Generated(PasswordRules),
    /// No text until `PutSecretValue`.
    Empty,
}

impl fmt::Debug for SecretText {
    /// Hides the text itself.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Given(_) => "Given",
            Self::Generated(_) => "Generated",
            Self::Empty => "Empty",
        })
    }
}

/// A Lambda function URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl {
    /// The logical id: that of an `AWS::Lambda::Url`, or `{function}Url` as SAM names it.
    pub logical_id: String,
    /// Its position among all URLs of the template, also those whose conditions do not hold, so that
    /// a URL keeps its port.
    pub position: u16,
    /// The id in its address on AWS, 32 characters.
    pub id: String,
    /// Its address, the value of `!GetAtt X.FunctionUrl`.
    pub address: String,
    /// The function's logical id.
    pub function: String,
    /// The function's ARN.
    pub function_arn: String,
    /// The authentication of requests.
    pub auth_type: UrlAuthType,
    /// The answers to pages of other origins, if the URL answers them and not the function.
    pub cors: Option<Cors>,
    /// The function's `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<usize>,
}

/// The authentication of a function URL's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum UrlAuthType {
    /// The URL is public.
    #[serde(rename = "NONE")]
    None,
    /// Requests are signed, and the caller's role must allow them.
    #[serde(rename = "AWS_IAM")]
    AwsIam,
}

/// The cross-origin settings of a function URL.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// True if pages may send credentials.
    pub allow_credentials: bool,
    /// The headers that pages may send.
    pub allow_headers: Vec<String>,
    /// The methods that pages may use.
    pub allow_methods: Vec<String>,
    /// The allowed origins, or `*`.
    pub allow_origins: Vec<String>,
    /// The response headers that pages may read.
    pub expose_headers: Vec<String>,
    /// The seconds for which a browser may keep the answer to a preflight.
    pub max_age: Option<u32>,
}

/// The rules of a generated password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordRules {
    /// The number of characters.
    pub length: usize,
    /// The kinds of characters, each a list of them and not empty. A password has one of each kind.
    pub kinds: Vec<String>,
}

/// A resource that is not run on this machine.
#[derive(Clone, Debug, PartialEq)]
pub struct NotRun {
    /// The logical id in the template.
    pub logical_id: String,
    /// The resource type, e.g. `AWS::CloudWatch::Alarm`.
    pub kind: String,
}
