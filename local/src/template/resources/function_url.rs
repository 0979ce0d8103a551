//! Function URLs: `FunctionUrlConfig` of a function, and `AWS::Lambda::Url`.
//!
//! SAM turns the former into a resource of the latter type, `{function}Url`.
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-functionurlconfig.html>,
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html>

use crate::template::{
    document::Resource,
    error::Problem,
    item::{Fields, Item},
    model::{FunctionUrl, UrlAuthType},
    scope::Scope,
};

use super::{FUNCTION, FUNCTION_URL, cors};

const CONFIG: &str = "FunctionUrlConfig";

/// Reads the URL of a function, if it has one.
pub(super) fn read_config(scope: &Scope<'_>, function: &Resource) -> Option<FunctionUrl> {
    let node = function.properties.entry(CONFIG)?;
    let path = format!("{}.{CONFIG}", function.properties_path());
    let config = scope.problems.value(Item::evaluate(scope, path, node))??;
    let fields = config.read(Item::fields)?;
    let logical_id = generated_id(function);
    read(scope, fields, logical_id, function)
}

/// Reads an `AWS::Lambda::Url`.
pub(super) fn read_resource(scope: &Scope<'_>, resource: &Resource) -> Option<FunctionUrl> {
    let mut fields = scope.properties(resource)?;
    fields.require("TargetFunctionArn")?;
    if let Some(qualifier) = fields.take("Qualifier") {
        qualifier.report("aliases and versions are not run here: remove Qualifier");
    }
    let function = scope.problems.value(target(scope, resource))?;
    read(scope, fields, resource.logical_id.clone(), function)
}

/// Returns the function of an `AWS::Lambda::Url`, which names it by its name or its ARN.
pub(in crate::template) fn target<'t>(
    scope: &Scope<'t>,
    url: &Resource,
) -> Result<&'t Resource, Problem> {
    let path = format!("{}.TargetFunctionArn", url.properties_path());
    let node = url.properties.entry("TargetFunctionArn");
    let node = node.ok_or_else(|| url.place().problem("TargetFunctionArn is missing"))?;
    let item = Item::evaluate(scope, path, node)?
        .ok_or_else(|| url.place().problem("TargetFunctionArn is missing"))?;
    let name = item.text()?;
    find_function(scope, &name).ok_or_else(|| {
        item.problem(format!(
            "`{name}` is not an {FUNCTION} of this template: write !GetAtt X.Arn with its logical id"
        ))
    })
}

/// Returns the function with this name or ARN.
pub(super) fn find_function<'t>(scope: &Scope<'t>, name_or_arn: &str) -> Option<&'t Resource> {
    scope.find(FUNCTION, |identity| {
        identity.name == name_or_arn || identity.arn == name_or_arn
    })
}

/// Returns the function whose URL SAM names `logical_id`.
pub(in crate::template) fn owner<'t>(scope: &Scope<'t>, logical_id: &str) -> Option<&'t Resource> {
    let mut resources = scope.document.resources.iter();
    resources.find(|resource| has_config(resource) && generated_id(resource) == logical_id)
}

fn has_config(resource: &Resource) -> bool {
    resource.kind == FUNCTION && resource.properties.entry(CONFIG).is_some()
}

fn generated_id(function: &Resource) -> String {
    format!("{}Url", function.logical_id)
}

fn read(
    scope: &Scope<'_>,
    mut fields: Fields<'_>,
    logical_id: String,
    function: &Resource,
) -> Option<FunctionUrl> {
    let auth_type = fields.require("AuthType");
    let cors = fields.nested("Cors").map(cors::read);
    fields.read("InvokeMode", check_invoke_mode);
    fields.finish(&[]);
    let auth_type = auth_type?.read(read_auth_type)?;
    let identity = scope.identity(&logical_id, function.place());
    let identity = scope.problems.value(identity)?;
    Some(FunctionUrl {
        position: position(scope, &logical_id),
        id: identity.name.clone(),
        address: identity.attribute("FunctionUrl")?.to_owned(),
        function: function.logical_id.clone(),
        function_arn: identity.reference.clone(),
        auth_type,
        cors,
        reserved_concurrency: reserved_concurrency(scope, function),
        logical_id,
    })
}

fn read_auth_type(item: &Item<'_>) -> Result<UrlAuthType, Problem> {
    match item.text()?.as_str() {
        "NONE" => Ok(UrlAuthType::None),
        "AWS_IAM" => Ok(UrlAuthType::AwsIam),
        other => Err(item.problem(format!("must be NONE or AWS_IAM, got `{other}`"))),
    }
}

fn check_invoke_mode(item: &Item<'_>) -> Result<(), Problem> {
    match item.text()?.as_str() {
        "BUFFERED" => Ok(()),
        "RESPONSE_STREAM" => Err(item.problem(
            "RESPONSE_STREAM is not supported by the local stack, which returns answers whole: use \
             BUFFERED",
        )),
        other => Err(item.problem(format!(
            "must be BUFFERED or RESPONSE_STREAM, got `{other}`"
        ))),
    }
}

/// Returns the function's limit of concurrent invocations. Its own reader ignores it, because only URLs
/// are throttled here.
fn reserved_concurrency(scope: &Scope<'_>, function: &Resource) -> Option<usize> {
    const NAME: &str = "ReservedConcurrentExecutions";
    let node = function.properties.entry(NAME)?;
    let path = format!("{}.{NAME}", function.properties_path());
    let item = scope.problems.value(Item::evaluate(scope, path, node))??;
    item.read(Item::number)
}

/// Returns the position among all URLs of the template.
fn position(scope: &Scope<'_>, logical_id: &str) -> u16 {
    let resources = scope.document.resources.iter();
    let ids = resources.filter_map(|resource| match resource.kind.as_str() {
        FUNCTION_URL => Some(resource.logical_id.clone()),
        _ => has_config(resource).then(|| generated_id(resource)),
    });
    let before = ids.take_while(|id| id != logical_id).count();
    u16::try_from(before).unwrap_or(u16::MAX)
}
