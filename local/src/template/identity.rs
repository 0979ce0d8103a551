//! The names and ARNs of resources: the values of `!Ref` and `!GetAtt`. A resource that the template
//! does not name is named `{stack}-{logical id}`.

use super::{
    document::Resource,
    error::Problem,
    item::Item,
    resources::{self, function_url, route},
    scope::Scope,
    settings::Settings,
};

/// The names of one resource.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The physical name.
    pub(super) name: String,
    /// The ARN; empty for what no other resource names by its ARN here.
    pub(super) arn: String,
    /// The value of `!Ref`.
    pub(super) reference: String,
    /// The values of `!GetAtt`.
    attributes: Vec<(&'static str, String)>,
}

impl Identity {
    /// Returns the value of `!GetAtt`.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let (_, value) = attributes.find(|(attribute, _)| *attribute == name)?;
        Some(value)
    }

    pub(super) fn attribute_names(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().map(|(name, _)| *name)
    }

    fn named(name: String, arn: String) -> Self {
        Self {
            reference: name.clone(),
            attributes: vec![("Arn", arn.clone())],
            name,
            arn,
        }
    }
}

/// Returns the identity of `resource`, `None` if it is not run.
pub(super) fn of_resource(
    scope: &Scope<'_>,
    resource: &Resource,
) -> Result<Option<Identity>, Problem> {
    let settings = scope.settings;
    let name = |property| physical_name(scope, resource, property);
    Ok(Some(match resource.kind.as_str() {
        resources::FUNCTION => {
            let name = name("FunctionName")?;
            let arn = arn(settings, "lambda", &format!("function:{name}"));
            Identity::named(name, arn)
        }
        resources::WEB_SOCKET_API => web_socket_api(settings, resource),
        resources::TABLE => {
            let name = name("TableName")?;
            let arn = arn(settings, "dynamodb", &format!("table/{name}"));
            Identity::named(name, arn)
        }
        resources::QUEUE => queue(settings, name("QueueName")?),
        resources::BUS => {
            let name = name("Name")?;
            let arn = arn(settings, "events", &format!("event-bus/{name}"));
            let mut identity = Identity::named(name.clone(), arn);
            identity.attributes.push(("Name", name));
            identity
        }
        resources::RULE => rule(settings, name("Name")?, &bus_of_rule(scope, resource)?),
        resources::FUNCTION_URL => {
            let function = function_url::target(scope, resource)?;
            function_url(scope, &resource.logical_id, function)?
        }
        resources::SECRET => secret(settings, &resource.logical_id, name("Name")?),
        _ => return Ok(None),
    }))
}

/// Returns the identity of a resource that SAM generates: a route of a WebSocket API, or the URL of a
/// function. `None` if SAM generates no such resource.
pub(super) fn of_generated(
    scope: &Scope<'_>,
    logical_id: &str,
) -> Result<Option<Identity>, Problem> {
    if let Some(function) = function_url::owner(scope, logical_id) {
        return function_url(scope, logical_id, function).map(Some);
    }
    let mut resources = scope.document.resources.iter();
    let is_route = resources.any(|api| {
        api.kind == resources::WEB_SOCKET_API
            && route::keys(api).any(|key| route::logical_id(&api.logical_id, key) == logical_id)
    });
    // AWS would return an id of seven characters; here the logical id serves as well.
    Ok(is_route.then(|| Identity {
        name: logical_id.to_owned(),
        arn: String::new(),
        reference: logical_id.to_owned(),
        attributes: Vec::new(),
    }))
}

/// Returns the identity of the URL of a function. Its name is the id in its address on AWS.
fn function_url(
    scope: &Scope<'_>,
    logical_id: &str,
    function: &Resource,
) -> Result<Identity, Problem> {
    let settings = scope.settings;
    let id = url_id(settings, logical_id);
    let arn = scope
        .identity(&function.logical_id, function.place())?
        .arn
        .clone();
    let on_aws = || format!("https://{id}.lambda-url.{}.on.aws/", settings.region);
    let address = settings.function_urls.get(logical_id).cloned();
    let address = address.unwrap_or_else(on_aws);
    Ok(Identity {
        name: id,
        arn: String::new(),
        reference: arn.clone(),
        attributes: vec![("FunctionArn", arn), ("FunctionUrl", address)],
    })
}

/// Returns the name of a bus, which a rule may name by its ARN.
fn bus_name(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":event-bus/") {
        Some((_, name)) => name,
        None => name_or_arn,
    }
}

/// Returns the name of the bus that a rule listens to.
pub(super) fn bus_of_rule(scope: &Scope<'_>, rule: &Resource) -> Result<String, Problem> {
    let bus = property(scope, rule, "EventBusName")?;
    Ok(bus.map_or("default".to_owned(), |bus| bus_name(&bus).to_owned()))
}

/// Returns the ARN of a resource in the stack's account and Region.
pub(super) fn arn(settings: &Settings, service: &str, resource: &str) -> String {
    let (region, account_id) = (&settings.region, &settings.account_id);
    format!("arn:aws:{service}:{region}:{account_id}:{resource}")
}

/// Returns the name in the template, or the stack's name and the logical id.
fn physical_name(scope: &Scope<'_>, resource: &Resource, name: &str) -> Result<String, Problem> {
    let given = property(scope, resource, name)?;
    let stack = &scope.settings.stack_name;
    Ok(given.unwrap_or_else(|| format!("{stack}-{}", resource.logical_id)))
}

fn property(scope: &Scope<'_>, resource: &Resource, name: &str) -> Result<Option<String>, Problem> {
    let Some(node) = resource.properties.entry(name) else {
        return Ok(None);
    };
    let path = format!("{}.{name}", resource.properties_path());
    let value = Item::evaluate(scope, path, node)?;
    value.map(|value| value.text()).transpose()
}

fn web_socket_api(settings: &Settings, resource: &Resource) -> Identity {
    let id = api_id(settings, &resource.logical_id);
    let endpoint = format!("wss://{id}.execute-api.{}.amazonaws.com", settings.region);
    Identity {
        name: id.clone(),
        arn: String::new(),
        reference: id.clone(),
        attributes: vec![("ApiId", id), ("ApiEndpoint", endpoint)],
    }
}

fn queue(settings: &Settings, name: String) -> Identity {
    let url = format!("{}/{}/{name}", settings.endpoint, settings.account_id);
    let arn = arn(settings, "sqs", &name);
    Identity {
        attributes: vec![
            ("Arn", arn.clone()),
            ("QueueName", name.clone()),
            ("QueueUrl", url.clone()),
        ],
        reference: url,
        name,
        arn,
    }
}

/// A rule of a bus other than `default` has the bus in its reference and its ARN.
fn rule(settings: &Settings, name: String, bus: &str) -> Identity {
    let (reference, path) = if bus == "default" {
        (name.clone(), format!("rule/{name}"))
    } else {
        (format!("{bus}|{name}"), format!("rule/{bus}/{name}"))
    };
    Identity {
        reference,
        ..Identity::named(name, arn(settings, "events", &path))
    }
}

fn secret(settings: &Settings, logical_id: &str, name: String) -> Identity {
    let suffix = secret_suffix(settings, logical_id);
    let resource = format!("secret:{name}-{suffix}");
    let arn = arn(settings, "secretsmanager", &resource);
    Identity {
        name,
        reference: arn.clone(),
        attributes: vec![("Id", arn.clone())],
        arn,
    }
}

/// Returns ten lower-case characters, as API Gateway assigns.
fn api_id(settings: &Settings, logical_id: &str) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    characters::<10>(settings, logical_id, ALPHABET)
}

/// Returns 32 lower-case characters, as Lambda assigns to a function URL.
fn url_id(settings: &Settings, logical_id: &str) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    ["", "/2"]
        .map(|half| characters::<16>(settings, &format!("{logical_id}{half}"), ALPHABET))
        .concat()
}

/// Returns the six characters that Secrets Manager appends to a secret's name in its ARN.
fn secret_suffix(settings: &Settings, logical_id: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    characters::<6>(settings, logical_id, ALPHABET)
}

/// Returns characters that look random and are the same at every start of the same stack: they are
/// part of the ARNs that policies name.
fn characters<const N: usize>(settings: &Settings, logical_id: &str, alphabet: &[u8]) -> String {
    let digest = md5::compute(format!("{}/{logical_id}", settings.stack_name));
    let bytes = digest.iter().take(N);
    bytes
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect()
}
