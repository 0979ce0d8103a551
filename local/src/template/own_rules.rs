//! The rules of a user's own template, which run beside the stack, with the queues that they name.
//!
//! Everything else in such a template is left out: its functions, and targets that are not queues.

use std::{collections::BTreeMap, fs, iter, path::Path};

use super::{
    TemplateError,
    document::{Document, Resource},
    error::{Problem, Problems},
    model::{NotRun, Queue, Rule, Stack},
    resources::{self, queue, rule},
    rules,
    scope::Scope,
    settings::Settings,
    yaml::{Node, Position},
};

impl Stack {
    /// Adds the rules of the template in `file` whose targets are queues of this stack or of the template. A parameter
    /// with the name of an exported output of this stack has its value, and an import that of the export.
    ///
    /// # Errors
    ///
    /// Returns [`TemplateError::ReadRules`] if the file cannot be read, and [`TemplateError::Invalid`] with all its
    /// problems if it is not a template, has no such rule, or a rule has something that is not supported.
    pub fn add_rules(&mut self, file: &Path, settings: &Settings) -> Result<(), TemplateError> {
        let text = fs::read_to_string(file).map_err(|source| TemplateError::ReadRules {
            file: file.to_owned(),
            source,
        })?;
        let name = file.file_stem().unwrap_or_default();
        let settings = Settings {
            parameters: BTreeMap::new(),
            defaults: self.exported_outputs(),
            stack_name: name.to_string_lossy().into_owned(),
            ..settings.clone()
        };
        let own = parse(&text, self, &settings).map_err(|problems| TemplateError::Invalid {
            file: file.to_owned(),
            problems,
        })?;
        let buses = own.rules.iter().map(|rule| rule.bus.as_str());
        resources::add_buses(&mut self.buses, buses);
        self.rules.extend(own.rules);
        self.queues.extend(own.queues);
        self.not_run.extend(own.not_run);
        Ok(())
    }
}

/// Returns the remedy for a parameter of such a template that has no value.
pub(super) fn remedy(_name: &str) -> String {
    "give it a Default, or the name of an exported output of the stack, such as NotificationQueueArn"
        .to_owned()
}

/// The parts of a template that run beside a stack.
pub(super) struct OwnRules {
    pub(super) rules: Vec<Rule>,
    pub(super) queues: Vec<Queue>,
    pub(super) not_run: Vec<NotRun>,
}

/// Reads the rules of a template from its text.
pub(super) fn parse(
    text: &str,
    stack: &Stack,
    settings: &Settings,
) -> Result<OwnRules, Vec<Problem>> {
    let root = Node::parse(text).map_err(|problem| vec![problem])?;
    let problems = Problems::default();
    let own = read(&root, stack, settings, &problems);
    let problems = problems.into_sorted();
    own.filter(|_| problems.is_empty()).ok_or(problems)
}

fn read(root: &Node, stack: &Stack, settings: &Settings, problems: &Problems) -> Option<OwnRules> {
    let document = Document::new(root, problems)?;
    let scope = Scope::new(&document, settings, Some(stack), problems);
    rules::check(&scope);
    let mut not_run = Vec::new();
    let resources = document.resources.iter();
    let rules: Vec<_> = resources
        .filter(|resource| resource.kind == resources::RULE)
        .filter(|resource| problems.value(scope.is_active(resource)) == Some(true))
        .filter_map(|resource| rule::read_own(&scope, resource, &mut not_run))
        .collect();
    if rules.is_empty() && problems.is_empty() {
        problems.report(Problem::new(
            Position { line: 1, column: 1 },
            "Resources",
            format!(
                "must hold an {} with a queue of the stack as its target",
                resources::RULE
            ),
        ));
    }
    let queues = queues(&scope, &rules);
    Some(OwnRules {
        rules,
        queues,
        not_run,
    })
}

/// Reads the queues of the template that rules name, and their dead-letter queues.
fn queues(scope: &Scope<'_>, rules: &[Rule]) -> Vec<Queue> {
    let targets = rules.iter().flat_map(|rule| &rule.targets);
    let mut named: Vec<String> = targets
        .flat_map(|target| iter::once(&target.queue).chain(&target.dead_letter_queue))
        .cloned()
        .collect();
    let mut queues: Vec<Queue> = Vec::new();
    while let Some(arn) = named.pop() {
        let is_read = queues.iter().any(|queue| queue.arn == arn);
        let resource = scope.find(resources::QUEUE, |identity| identity.arn == arn);
        if let Some(resource) = resource
            && !is_read
        {
            check_name(scope, resource);
            if let Some(queue) = queue::read(scope, resource) {
                let redrive = queue.redrive.iter();
                named.extend(redrive.map(|redrive| redrive.dead_letter_queue.clone()));
                queues.push(queue);
            }
        }
    }
    queues
}

/// Checks that the stack has no queue of this logical id: addresses are listed by it.
fn check_name(scope: &Scope<'_>, resource: &Resource) {
    let mut queues = scope.beside.iter().flat_map(|stack| &stack.queues);
    if queues.any(|queue| queue.logical_id == resource.logical_id) {
        let reason = "the stack has a queue of this name, too: choose another";
        scope.problems.report(resource.place().problem(reason));
    }
}
