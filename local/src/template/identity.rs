//! What resources are called: the values of `!Ref` and `!GetAtt`. A resource without a name in the
//! template is named `{stack}-{logical id}`.

use super::{
    document::Resource,
    error::Problem,
    item::Item,
    resources::{self, route},
    scope::Scope,
    settings::Settings,
};

/// What a resource is called.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// The value of `!Ref`.
    pub(super) reference: String,
    attributes: Vec<(&'static str, String)>,
}

impl Identity {
    /// The value of `!GetAtt`.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let (_, value) = attributes.find(|(attribute, _)| *attribute == name)?;
        Some(value)
    }

    pub(super) fn attribute_names(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().map(|(name, _)| *name)
    }
}

/// What `resource` is called, none if it is not run.
pub(super) fn of_resource(
    scope: &Scope<'_>,
    resource: &Resource,
) -> Result<Option<Identity>, Problem> {
    let settings = scope.settings;
    Ok(Some(match resource.kind.as_str() {
        resources::FUNCTION => {
            let name = physical_name(scope, resource, "FunctionName")?;
            let arn = arn(settings, "lambda", &format!("function:{name}"));
            named(name, [("Arn", arn)])
        }
        resources::WEB_SOCKET_API => {
            let id = api_id(settings, &resource.logical_id);
            let endpoint = format!("wss://{id}.execute-api.{}.amazonaws.com", settings.region);
            named(id.clone(), [("ApiId", id), ("ApiEndpoint", endpoint)])
        }
        resources::TABLE => {
            let name = physical_name(scope, resource, "TableName")?;
            let arn = arn(settings, "dynamodb", &format!("table/{name}"));
            named(name, [("Arn", arn)])
        }
        resources::QUEUE => {
            let name = physical_name(scope, resource, "QueueName")?;
            let url = format!("{}/{}/{name}", settings.endpoint, settings.account_id);
            let arn = arn(settings, "sqs", &name);
            let attributes = [("Arn", arn), ("QueueName", name), ("QueueUrl", url.clone())];
            named(url, attributes)
        }
        resources::BUS => {
            let name = physical_name(scope, resource, "Name")?;
            let arn = arn(settings, "events", &format!("event-bus/{name}"));
            named(name.clone(), [("Arn", arn), ("Name", name)])
        }
        resources::RULE => rule(scope, resource)?,
        resources::SECRET => {
            let name = physical_name(scope, resource, "Name")?;
            let suffix = secret_suffix(settings, &resource.logical_id);
            let arn = arn(
                settings,
                "secretsmanager",
                &format!("secret:{name}-{suffix}"),
            );
            named(arn.clone(), [("Id", arn)])
        }
        _ => return Ok(None),
    }))
}

/// What a resource is called that SAM makes: the route of a WebSocket API.
pub(super) fn of_generated(scope: &Scope<'_>, logical_id: &str) -> Option<Identity> {
    let mut resources = scope.document.resources.iter();
    let is_route = resources.any(|api| {
        api.kind == resources::WEB_SOCKET_API
            && route::keys(api).any(|key| route::logical_id(&api.logical_id, key) == logical_id)
    });
    // AWS would answer with an id of seven characters; here the logical id serves as well.
    is_route.then(|| named(logical_id.to_owned(), []))
}

/// The name in the template, or the stack's name and the logical id.
pub(super) fn physical_name(
    scope: &Scope<'_>,
    resource: &Resource,
    property: &str,
) -> Result<String, Problem> {
    let given = match resource.properties.entry(property) {
        Some(node) => {
            let path = format!("{}.{property}", resource.properties_path());
            Item::evaluate(scope, path, node)?
        }
        None => None,
    };
    match given {
        Some(name) => name.text(),
        None => Ok(format!(
            "{}-{}",
            scope.settings.stack_name, resource.logical_id
        )),
    }
}

/// The name of a bus, which a rule may name by its ARN.
pub(super) fn bus_name(name_or_arn: &str) -> &str {
    match name_or_arn.split_once(":event-bus/") {
        Some((_, name)) => name,
        None => name_or_arn,
    }
}

/// The name of the bus a rule listens to.
pub(super) fn bus_of_rule(scope: &Scope<'_>, rule: &Resource) -> Result<String, Problem> {
    let Some(node) = rule.properties.entry("EventBusName") else {
        return Ok("default".to_owned());
    };
    let path = format!("{}.EventBusName", rule.properties_path());
    match Item::evaluate(scope, path, node)? {
        Some(bus) => Ok(bus_name(&bus.text()?).to_owned()),
        None => Ok("default".to_owned()),
    }
}

/// A rule of a bus other than `default` carries the bus in its reference and its ARN.
fn rule(scope: &Scope<'_>, resource: &Resource) -> Result<Identity, Problem> {
    let name = physical_name(scope, resource, "Name")?;
    let bus = bus_of_rule(scope, resource)?;
    let (reference, path) = if bus == "default" {
        (name.clone(), format!("rule/{name}"))
    } else {
        (format!("{bus}|{name}"), format!("rule/{bus}/{name}"))
    };
    let arn = arn(scope.settings, "events", &path);
    Ok(named(reference, [("Arn", arn)]))
}

fn named<const N: usize>(reference: String, attributes: [(&'static str, String); N]) -> Identity {
    Identity {
        reference,
        attributes: attributes.into(),
    }
}

/// The ARN of a resource in the stack's account and Region.
pub(super) fn arn(settings: &Settings, service: &str, resource: &str) -> String {
    let (region, account_id) = (&settings.region, &settings.account_id);
    format!("arn:aws:{service}:{region}:{account_id}:{resource}")
}

/// Ten lower-case characters as API Gateway gives.
fn api_id(settings: &Settings, logical_id: &str) -> String {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    characters::<10>(settings, logical_id, ALPHABET)
}

/// The six characters that Secrets Manager puts behind a secret's name in its ARN.
fn secret_suffix(settings: &Settings, logical_id: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    characters::<6>(settings, logical_id, ALPHABET)
}

/// Characters that look random and are the same for the same stack at every start: they are part of
/// the ARNs that policies name.
fn characters<const N: usize>(settings: &Settings, logical_id: &str, alphabet: &[u8]) -> String {
    let digest = md5::compute(format!("{}/{logical_id}", settings.stack_name));
    let bytes = digest.iter().take(N);
    bytes
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect()
}
