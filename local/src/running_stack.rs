//! A running stack: all resources of a template, started and ended together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    Authentication,
    activity::Activity,
    addresses::{Addresses, reachable},
    console::Console,
    dynamodb::DynamoDb,
    endpoint::{self, Services},
    eventbridge::EventBridge,
    faults::{Crashes, Faults, KillingInvoker},
    function_urls::{self, FunctionUrlServer, Listeners},
    gateway::{Gateway, Limits},
    iam::{Denied, Roles},
    issuer::{Issuer, Token, TokenRequest},
    lambda::{Host, HostSettings, Invoke, Remote, binaries},
    secrets::Secrets,
    sqs::{Mapping, Queues},
    template::{Settings, Stack, WebSocketApi},
};

/// The configuration of a stack.
#[derive(Clone, Debug)]
pub struct Config {
    /// The template's file.
    pub template: PathBuf,
    /// Templates of the user's own, whose rules run beside the stack.
    pub rules: Vec<PathBuf>,
    /// Values of the template's parameters; the others have their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Values that replace the template's own defaults; parameters that it does not have are ignored.
    pub parameter_defaults: BTreeMap<String, String>,
    /// The authentication of clients; the template's parameters override it.
    pub authentication: Authentication,
    /// The host of the functions.
    pub functions: Functions,
    /// The port of the template's first function URL; the others have the ports after it. A port that is
    /// in use is replaced by a free one; 0 chooses free ports.
    pub function_url_port: u16,
    /// Variables of every function process. They override the template's and those of
    /// `herald-local`.
    pub environment: BTreeMap<String, String>,
    /// The file of the tables; `None` keeps them in memory.
    pub data: Option<PathBuf>,
    /// The limits of a WebSocket connection.
    pub limits: Limits,
    /// Stops function processes between invocations, as Lambda does.
    pub freeze: bool,
    /// The injected faults.
    pub faults: Faults,
}

impl Config {
    /// Makes a configuration with the defaults of the command line: no faults, no authentication,
    /// and tables in memory.
    pub fn new(template: impl Into<PathBuf>, functions: Functions) -> Self {
        Self {
            template: template.into(),
            rules: Vec::new(),
            parameters: BTreeMap::new(),
            parameter_defaults: BTreeMap::new(),
            authentication: Authentication::default(),
            functions,
            function_url_port: 0,
            environment: BTreeMap::new(),
            data: None,
            limits: Limits::default(),
            freeze: false,
            faults: Faults::default(),
        }
    }
}

/// The host of the functions.
#[derive(Clone, Debug)]
pub enum Functions {
    /// Cargo builds them, and they run as child processes.
    Build {
        /// Builds with the release profile.
        release: bool,
    },
    /// Their binaries are in this folder, and they run as child processes.
    Prebuilt(PathBuf),
    /// Another server with Lambda's Invoke API runs them, e.g. `cargo lambda watch`.
    Remote(String),
}

/// A stack that runs until [`RunningStack::shutdown`].
pub struct RunningStack {
    stack: Stack,
    addresses: Addresses,
    services: Arc<Services>,
    host: Option<Arc<Host>>,
    shutdown: watch::Sender<bool>,
    /// The background tasks: the mappings, and the fault that expires rows.
    tasks: JoinSet<()>,
    server: JoinHandle<()>,
    /// The servers of function URLs, which a drop ends.
    url_servers: JoinSet<()>,
}

impl RunningStack {
    /// Starts all resources of the template behind `listener`, and returns when they accept
    /// requests.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the template is invalid or a function does not start.
    pub async fn start(listener: TcpListener, config: Config) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let issuer = Issuer::address(&format!("http://{}", reachable(address)));
        let mut defaults = config.parameter_defaults.clone();
        defaults.extend(config.authentication.parameters(&issuer));
        let settings = Settings {
            parameters: config.parameters.clone(),
            defaults,
            remote_functions: matches!(config.functions, Functions::Remote(_)),
            ..Settings::new(format!("http://{address}"))
        };
        let (stack, mut url_listeners) = read_template(&config, settings, address).await?;
        let secrets = Arc::new(Secrets::new(&stack.secrets));
        let issuer = Issuer::new(issuer, config.authentication, &stack, secrets.clone())?;
        let addresses = Addresses::new(&stack, &issuer, address, &config.faults);
        let roles = Arc::new(Roles::new(&stack, &config.faults.revoked)?);
        stack
            .event_source_mappings
            .iter()
            .try_for_each(|mapping| roles.check_poller(mapping))?;
        let activity = Activity::new(&stack.queues);
        let queues = Arc::new(Queues::new(&stack.queues, activity.clone())?);
        let dynamodb =
            Arc::new(DynamoDb::start(config.data.as_deref(), &stack.tables, &config.faults).await?);
        let eventbridge = EventBridge::new(&stack, queues.clone(), Utc::now, activity.clone())?;
        let (invoke, host) =
            start_functions(&stack, &addresses, &roles, &activity, &config).await?;
        let crashes = Crashes::new(
            &stack,
            host.clone(),
            functions_behind_queues(&stack),
            config.faults.dies_after,
        );
        let (api, limits) = match config.functions {
            Functions::Remote(_) => patient(&stack.web_socket_api, config.limits),
            _ => (stack.web_socket_api.clone(), config.limits),
        };
        let gateway = Gateway::new(
            api,
            &stack.region,
            &stack.account_id,
            limits,
            invoke.clone(),
            activity.clone(),
        )?;
        let console = Console::new(
            &stack,
            &addresses,
            gateway.clone(),
            queues.clone(),
            dynamodb.clone(),
            activity.clone(),
        );
        let services = Arc::new(Services {
            gateway,
            dynamodb,
            queues: queues.clone(),
            eventbridge,
            secrets,
            issuer,
            roles: roles.clone(),
            crashes,
            console: Arc::new(console),
            activity,
        });
        services.gateway.set_faults(config.faults.gateway.clone());
        services.queues.set_faults(config.faults.queues);
        // Before the functions: one may fetch a secret or a key during its start.
        let server = tokio::spawn(endpoint::serve(listener, services.clone()));
        if let Some(host) = &host
            && let Err(error) = host.warm_up().await
        {
            server.abort();
            host.shutdown().await;
            return Err(error);
        }
        let (shutdown, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for mapping in &stack.event_source_mappings {
            let region = stack.region.clone();
            let mapping = Mapping::new(mapping.clone(), queues.clone(), invoke.clone(), region)?;
            tasks.spawn(mapping.run(stopping.clone()));
        }
        if let Some(pause) = config.faults.expire_rows_every {
            tasks.spawn(expire_rows(services.clone(), pause, stopping));
        }
        let mut url_servers = JoinSet::new();
        for url in &stack.function_urls {
            if let Some(listener) = url_listeners.take(&url.logical_id) {
                let (url, account_id) = (url.clone(), &stack.account_id);
                let server = FunctionUrlServer::new(url, account_id, roles.clone(), invoke.clone());
                url_servers.spawn(server.serve(listener));
            }
        }
        Ok(Self {
            server,
            stack,
            addresses,
            services,
            host,
            shutdown,
            tasks,
            url_servers,
        })
    }

    /// Returns the stack of the template.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Returns the addresses of all services.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Returns the WebSocket API, with handles on its connections and faults.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.services.gateway
    }

    /// Returns the queues, with handles on their messages, faults and clock.
    pub fn queues(&self) -> &Arc<Queues> {
        &self.services.queues
    }

    /// Returns the tables, with handles on the expiry of rows.
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.services.dynamodb
    }

    /// Returns the fault that kills the notifier between its steps.
    pub fn crashes(&self) -> &Crashes {
        &self.services.crashes
    }

    /// Returns the issuer of test tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.services.issuer
    }

    /// Returns a token for one of the stack's users that is valid from now on.
    ///
    /// # Errors
    ///
    /// Returns one sentence if the stack does not accept tokens of its own issuer.
    pub fn mint(&self, request: &TokenRequest) -> anyhow::Result<Token> {
        self.issuer().mint(request, Utc::now())
    }

    /// Returns the last call that the policies of its function did not allow.
    pub fn refused(&self) -> watch::Receiver<Option<Denied>> {
        self.services.roles.refused()
    }

    /// Returns the host of the function processes. `None` if another server runs the functions.
    pub fn functions(&self) -> Option<&Arc<Host>> {
        self.host.as_ref()
    }

    /// Closes every connection, waits for the queues' invocations in flight, and ends every
    /// process.
    pub async fn shutdown(mut self) {
        self.shutdown.send_replace(true);
        self.services.gateway.close_all();
        self.url_servers.abort_all();
        while self.tasks.join_next().await.is_some() {}
        if let Some(host) = &self.host {
            host.shutdown().await;
        }
        self.server.abort();
    }
}

/// Reads the template and the user's rules, and listens for the template's function URLs. Their addresses are
/// values in the template and may depend on free ports, so the template is read again with them.
async fn read_template(
    config: &Config,
    mut settings: Settings,
    address: SocketAddr,
) -> anyhow::Result<(Stack, Listeners)> {
    let mut stack = Stack::read(&config.template, &settings)?;
    let port = config.function_url_port;
    let listeners = function_urls::listen(&stack.function_urls, address.ip(), port).await?;
    if !stack.function_urls.is_empty() {
        settings.function_urls = listeners.addresses()?;
        stack = Stack::read(&config.template, &settings)?;
    }
    for file in &config.rules {
        stack.add_rules(file, &settings)?;
    }
    Ok((stack, listeners))
}

/// Returns the invoker of the functions, and their host if they are child processes.
async fn start_functions(
    stack: &Stack,
    addresses: &Addresses,
    roles: &Roles,
    activity: &Activity,
    config: &Config,
) -> anyhow::Result<(Arc<dyn Invoke>, Option<Arc<Host>>)> {
    let processes = match &config.functions {
        Functions::Remote(url) => {
            let remote = Remote::new(url, &stack.functions, activity.clone())?;
            return Ok((Arc::new(remote), None));
        }
        Functions::Build { release } => binaries::build(&stack.functions, *release).await?,
        Functions::Prebuilt(folder) => binaries::find(&stack.functions, folder)?,
    };
    let mut environment = addresses.endpoints();
    environment.extend(config.environment.clone());
    let settings = HostSettings {
        region: stack.region.clone(),
        account_id: stack.account_id.clone(),
        environment,
        credentials: roles.credentials(),
        freeze: config.freeze,
        activity: activity.clone(),
        ..HostSettings::default()
    };
    let host = Arc::new(Host::start(processes, settings)?);
    let invoke: Arc<dyn Invoke> = if config.faults.killed > 0.0 {
        Arc::new(KillingInvoker {
            host: host.clone(),
            functions: functions_behind_queues(stack),
            share: config.faults.killed,
        })
    } else {
        host.clone()
    };
    Ok((invoke, Some(host)))
}

/// Returns an API and limits that wait for functions that another program runs: it may compile a function
/// before it invokes it, and has time limits of its own.
fn patient(api: &WebSocketApi, limits: Limits) -> (WebSocketApi, Limits) {
    const PATIENCE: Duration = Duration::from_secs(60 * 60);
    let mut api = api.clone();
    for route in &mut api.routes {
        route.integration_timeout = PATIENCE;
    }
    let limits = Limits {
        authorizer: PATIENCE,
        ..limits
    };
    (api, limits)
}

fn functions_behind_queues(stack: &Stack) -> BTreeSet<String> {
    let mappings = stack.event_source_mappings.iter();
    mappings.map(|mapping| mapping.function.clone()).collect()
}

/// Expires all rows of connections at an interval.
async fn expire_rows(
    services: Arc<Services>,
    pause: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    // Longer than the life of any row.
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.changed() => return,
        }
        match services.dynamodb.expire(DAY) {
            Ok(rows) => tracing::warn!(rows, "rows expired by an injected fault"),
            Err(error) => tracing::error!(%error, "failed to expire rows"),
        }
    }
}
