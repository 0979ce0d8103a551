//! Readers of the resources that are run, one file for each type.

mod bus;
mod code;
mod cors;
mod event_source;
mod function;
pub(super) mod function_url;
mod permission;
mod policies;
pub(super) mod queue;
pub(super) mod route;
mod route_response;
pub(super) mod rule;
mod sam_policies;
mod secret;
mod table;
mod web_socket_api;

use std::{iter, path::Path};

use super::{
    document::Resource,
    error::Problem,
    model::{
        Bus, EventSourceMapping, Function, FunctionUrl, NotRun, Queue, Role, Rule, Secret, Table,
        UrlAuthType, WebSocketApi,
    },
    references,
    scope::Scope,
};

pub(super) const FUNCTION: &str = "AWS::Serverless::Function";
pub(super) const WEB_SOCKET_API: &str = "AWS::Serverless::WebSocketApi";
pub(super) const TABLE: &str = "AWS::DynamoDB::Table";
pub(super) const QUEUE: &str = "AWS::SQS::Queue";
pub(super) const BUS: &str = "AWS::Events::EventBus";
pub(super) const RULE: &str = "AWS::Events::Rule";
pub(super) const SECRET: &str = "AWS::SecretsManager::Secret";
pub(super) const FUNCTION_URL: &str = "AWS::Lambda::Url";
const PERMISSION: &str = "AWS::Lambda::Permission";
const ROUTE_RESPONSE: &str = "AWS::ApiGatewayV2::RouteResponse";
const EVENT_SOURCE_MAPPING: &str = "AWS::Lambda::EventSourceMapping";

/// Types that are not supported, each with the supported type that replaces it. Ignoring them would
/// start half a stack. Resources of every other type have no part in a push and are not run.
const REPLACED: &[(&str, &str)] = &[
    ("AWS::Lambda::Function", FUNCTION),
    ("AWS::ApiGatewayV2::Api", WEB_SOCKET_API),
    ("AWS::ApiGatewayV2::Stage", WEB_SOCKET_API),
    ("AWS::ApiGatewayV2::Route", WEB_SOCKET_API),
    ("AWS::ApiGatewayV2::Integration", WEB_SOCKET_API),
    ("AWS::ApiGatewayV2::Authorizer", WEB_SOCKET_API),
    ("AWS::DynamoDB::GlobalTable", TABLE),
    ("AWS::Serverless::SimpleTable", TABLE),
];

/// The resources of a template by type.
#[derive(Default)]
pub(super) struct Resources {
    pub(super) web_socket_apis: Vec<WebSocketApi>,
    pub(super) functions: Vec<Function>,
    pub(super) roles: Vec<Role>,
    pub(super) tables: Vec<Table>,
    pub(super) queues: Vec<Queue>,
    pub(super) event_source_mappings: Vec<EventSourceMapping>,
    pub(super) buses: Vec<Bus>,
    pub(super) rules: Vec<Rule>,
    pub(super) secrets: Vec<Secret>,
    pub(super) function_urls: Vec<FunctionUrl>,
    pub(super) not_run: Vec<NotRun>,
    /// The logical ids of routes that reply.
    answered_routes: Vec<String>,
    /// The public rights to invoke functions through their URLs.
    public_rights: Vec<permission::PublicRight>,
}

impl Resources {
    /// Reads every resource whose condition holds. `folder` is where `CodeUri` starts.
    pub(super) fn read(scope: &Scope<'_>, folder: &Path) -> Self {
        let mut resources = Self::default();
        for resource in &scope.document.resources {
            if scope.problems.value(scope.is_active(resource)) == Some(true) {
                resources.add(scope, resource, folder);
            }
        }
        resources.mark_two_way_routes();
        resources.add_buses_of_rules();
        resources.check_public_urls(scope);
        resources
    }

    fn add(&mut self, scope: &Scope<'_>, resource: &Resource, folder: &Path) {
        match resource.kind.as_str() {
            FUNCTION => {
                if let Some((function, role, mappings)) = function::read(scope, resource, folder) {
                    self.functions.push(function);
                    self.roles.push(role);
                    self.event_source_mappings.extend(mappings);
                }
                self.function_urls
                    .extend(function_url::read_config(scope, resource));
            }
            WEB_SOCKET_API => self
                .web_socket_apis
                .extend(web_socket_api::read(scope, resource)),
            ROUTE_RESPONSE => self
                .answered_routes
                .extend(route_response::read(scope, resource)),
            TABLE => self.tables.extend(table::read(scope, resource)),
            QUEUE => self.queues.extend(queue::read(scope, resource)),
            BUS => self.buses.extend(bus::read(scope, resource)),
            FUNCTION_URL => self
                .function_urls
                .extend(function_url::read_resource(scope, resource)),
            PERMISSION => match permission::read(scope, resource) {
                Some(right) => self.public_rights.push(right),
                None => return self.skip(scope, resource, PERMISSION),
            },
            SECRET => self.secrets.extend(secret::read(scope, resource)),
            RULE => self.rules.extend(rule::read(scope, resource)),
            EVENT_SOURCE_MAPPING => self
                .event_source_mappings
                .extend(event_source::read_resource(scope, resource)),
            kind => return self.skip(scope, resource, kind),
        }
        references::report_unknown(scope, &resource.properties, &resource.properties_path());
    }

    fn skip(&mut self, scope: &Scope<'_>, resource: &Resource, kind: &str) {
        if let Some((_, instead)) = REPLACED.iter().find(|(other, _)| *other == kind) {
            scope.problems.report(Problem::new(
                resource.position,
                format!("{}.Type", resource.path),
                format!("{kind} is not supported by the local stack: use {instead} instead"),
            ));
            return;
        }
        self.not_run.push(NotRun {
            logical_id: resource.logical_id.clone(),
            kind: kind.to_owned(),
        });
    }

    /// A route replies only if it has both a selection expression and the route response `$default`.
    fn mark_two_way_routes(&mut self) {
        for api in &mut self.web_socket_apis {
            for route in &mut api.routes {
                let logical_id = route::logical_id(&api.logical_id, &route.key);
                route.two_way &= self.answered_routes.contains(&logical_id);
            }
        }
    }

    /// Reports every public URL whose function does not allow every caller to invoke it: AWS would answer
    /// each request with 403. SAM adds these rights to the URLs of its functions.
    fn check_public_urls(&self, scope: &Scope<'_>) {
        for url in &self.function_urls {
            let Some(resource) = scope.document.resource(&url.logical_id) else {
                continue;
            };
            if url.auth_type == UrlAuthType::None {
                permission::check(scope, resource, &url.function, &self.public_rights);
            }
        }
    }

    /// Adds the default bus, and buses that rules name and the template does not create.
    fn add_buses_of_rules(&mut self) {
        let named = self.rules.iter().map(|rule| rule.bus.as_str());
        add_buses(&mut self.buses, iter::once("default").chain(named));
    }
}

/// Adds those of the named buses that are missing.
pub(super) fn add_buses<'a>(buses: &mut Vec<Bus>, names: impl Iterator<Item = &'a str>) {
    for name in names {
        if !buses.iter().any(|bus| bus.name == name) {
            buses.push(Bus {
                logical_id: None,
                name: name.to_owned(),
            });
        }
    }
}
