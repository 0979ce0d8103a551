//! Reading a whole template, and the rules that hold between its resources.

use std::{fs, path::Path};

use super::{
    TemplateError,
    document::Document,
    error::Problem,
    model::{Stack, WebSocketApi},
    outputs,
    resources::{self, Resources},
    rules,
    scope::Scope,
    settings::Settings,
    yaml::{Node, Position},
};

impl Stack {
    /// Reads the template in `file`, whose folder is where `CodeUri` starts.
    ///
    /// # Errors
    /// If the file cannot be read, is not a template, or describes something that would have to be
    /// run and is not known here. The error names the place and what to do.
    pub fn read(file: &Path, settings: &Settings) -> Result<Self, TemplateError> {
        let text = fs::read_to_string(file).map_err(|source| TemplateError::Read {
            file: file.to_owned(),
            source,
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        parse(&text, folder, settings).map_err(|problem| problem.into_error(file.to_owned()))
    }
}

/// Reads a template from its text. `folder` is where `CodeUri` starts.
pub(super) fn parse(text: &str, folder: &Path, settings: &Settings) -> Result<Stack, Problem> {
    let document = Document::new(&Node::parse(text)?)?;
    let scope = Scope::new(&document, settings)?;
    rules::check(&scope)?;
    let resources = Resources::read(&scope, folder)?;
    check_visibility(&document, &resources)?;
    Ok(Stack {
        name: settings.stack_name.clone(),
        region: settings.region.clone(),
        account_id: settings.account_id.clone(),
        parameters: scope.parameter_texts(),
        web_socket_api: the_one(resources.web_socket_apis)?,
        functions: resources.functions,
        roles: resources.roles,
        tables: resources.tables,
        queues: resources.queues,
        event_source_mappings: resources.event_source_mappings,
        buses: resources.buses,
        rules: resources.rules,
        secrets: resources.secrets,
        outputs: outputs::read(&scope)?,
        not_run: resources.not_run,
    })
}

fn the_one(apis: Vec<WebSocketApi>) -> Result<WebSocketApi, Problem> {
    match <[WebSocketApi; 1]>::try_from(apis) {
        Ok([api]) => Ok(api),
        Err(apis) => Err(Problem::new(
            Position { line: 1, column: 1 },
            "Resources",
            format!(
                "must hold one {}, and not {}",
                resources::WEB_SOCKET_API,
                apis.len()
            ),
        )),
    }
}

/// Lambda refuses a mapping whose queue would show a message again while the function still has it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
fn check_visibility(document: &Document, resources: &Resources) -> Result<(), Problem> {
    for mapping in &resources.event_source_mappings {
        let queue = resources
            .queues
            .iter()
            .find(|queue| queue.arn == mapping.queue);
        let function = resources
            .functions
            .iter()
            .find(|function| function.logical_id == mapping.function);
        if let (Some(queue), Some(function)) = (queue, function)
            && queue.visibility_timeout < function.timeout
        {
            let resource = document.resource(&queue.logical_id);
            return Err(Problem::new(
                resource
                    .map(|resource| resource.position)
                    .unwrap_or_default(),
                format!(
                    "Resources.{}.Properties.VisibilityTimeout",
                    queue.logical_id
                ),
                format!(
                    "{} s is shorter than the timeout of {}, {} s, which Lambda refuses: make it six \
                     times as long",
                    queue.visibility_timeout.as_secs(),
                    function.logical_id,
                    function.timeout.as_secs(),
                ),
            ));
        }
    }
    Ok(())
}
