//! Reading a whole template, and the rules that hold between its resources.

use std::{fs, path::Path};

use super::{
    TemplateError,
    document::Document,
    error::{Problem, Problems},
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
    /// Returns [`TemplateError::Read`] if the file cannot be read, and [`TemplateError::Invalid`] with
    /// all its problems if it is not a template, or describes something that the stack needs and does
    /// not support.
    pub fn read(file: &Path, settings: &Settings) -> Result<Self, TemplateError> {
        let text = fs::read_to_string(file).map_err(|source| TemplateError::Read {
            file: file.to_owned(),
            source,
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        parse(&text, folder, settings).map_err(|problems| TemplateError::Invalid {
            file: file.to_owned(),
            problems,
        })
    }
}

/// Reads a template from its text. `folder` is where `CodeUri` starts.
pub(super) fn parse(text: &str, folder: &Path, settings: &Settings) -> Result<Stack, Vec<Problem>> {
    let root = Node::parse(text).map_err(|problem| vec![problem])?;
    let problems = Problems::default();
    let stack = read(&root, folder, settings, &problems);
    let problems = problems.into_sorted();
    stack.filter(|_| problems.is_empty()).ok_or(problems)
}

fn read(root: &Node, folder: &Path, settings: &Settings, problems: &Problems) -> Option<Stack> {
    let document = Document::new(root, problems)?;
    let scope = Scope::new(&document, settings, None, problems);
    rules::check(&scope);
    let resources = Resources::read(&scope, folder);
    check_visibility(&scope, &resources);
    let outputs = outputs::read(&scope);
    Some(Stack {
        name: settings.stack_name.clone(),
        region: settings.region.clone(),
        account_id: settings.account_id.clone(),
        parameters: scope.parameter_texts(),
        exports: outputs::exports(&scope, &outputs),
        outputs,
        web_socket_api: only_api(&scope, resources.web_socket_apis)?,
        functions: resources.functions,
        roles: resources.roles,
        tables: resources.tables,
        queues: resources.queues,
        event_source_mappings: resources.event_source_mappings,
        buses: resources.buses,
        rules: resources.rules,
        secrets: resources.secrets,
        function_urls: resources.function_urls,
        not_run: resources.not_run,
    })
}

fn only_api(scope: &Scope<'_>, mut apis: Vec<WebSocketApi>) -> Option<WebSocketApi> {
    let resources = scope.document.resources.iter();
    let count = resources
        .filter(|resource| resource.kind == resources::WEB_SOCKET_API)
        .filter(|resource| scope.is_active(resource).unwrap_or(true))
        .count();
    if count != 1 {
        scope.problems.report(Problem::new(
            Position { line: 1, column: 1 },
            "Resources",
            format!("must hold one {}, got {count}", resources::WEB_SOCKET_API),
        ));
    }
    apis.pop()
}

/// Lambda refuses a mapping whose queue would show a message again while the function still has it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
fn check_visibility(scope: &Scope<'_>, resources: &Resources) {
    for mapping in &resources.event_source_mappings {
        let mut queues = resources.queues.iter();
        let mut functions = resources.functions.iter();
        let queue = queues.find(|queue| queue.arn == mapping.queue);
        let function = functions.find(|function| function.logical_id == mapping.function);
        if let (Some(queue), Some(function)) = (queue, function)
            && queue.visibility_timeout < function.timeout
        {
            let resource = scope.document.resource(&queue.logical_id);
            scope.problems.report(Problem::new(
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
}
