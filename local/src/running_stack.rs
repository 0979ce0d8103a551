//! A stack that runs: everything of a template, started together and ended together.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    eventbridge::EventBridge,
    faults::{Faults, KillSome},
    front_door::{self, FrontDoor},
    gateway::{Gateway, Limits},
    iam::{Denied, Roles},
    issuer::{Issuer, Token, TokenRequest},
    lambda::{Host, HostSettings, Invoke, Remote, binaries},
    secrets::Secrets,
    sqs::{Mapping, Queues},
    template::{Settings, Stack},
};

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The template's file.
    pub template: PathBuf,
    /// Values for the template's parameters; the others take their defaults.
    pub parameters: BTreeMap<String, String>,
    /// How clients prove who they are, where the parameters do not say otherwise.
    pub authentication: Authentication,
    /// Who runs the functions.
    pub functions: Functions,
    /// Variables for every function process, over those of the template and our own.
    pub environment: BTreeMap<String, String>,
    /// The file that keeps the tables; none: they are in memory.
    pub data: Option<PathBuf>,
    /// What bounds a WebSocket connection.
    pub limits: Limits,
    /// Whether function processes are stopped between invocations, as Lambda does.
    pub freeze: bool,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

impl Config {
    /// A template and who runs its functions; everything else as a person gets it who asks for nothing:
    /// nothing goes wrong, everybody is let in, and the tables are in memory.
    pub fn new(template: impl Into<PathBuf>, functions: Functions) -> Self {
        Self {
            template: template.into(),
            parameters: BTreeMap::new(),
            authentication: Authentication::default(),
            functions,
            environment: BTreeMap::new(),
            data: None,
            limits: Limits::default(),
            freeze: false,
            faults: Faults::default(),
        }
    }
}

/// Who runs the functions.
#[derive(Clone, Debug)]
pub enum Functions {
    /// Cargo builds them, and they run as processes of ours.
    Build {
        /// Whether with the release profile.
        release: bool,
    },
    /// They are in this folder, built before, and run as processes of ours.
    Prebuilt(PathBuf),
    /// Somebody with Lambda's Invoke API runs them, e.g. `cargo lambda watch`.
    Remote(String),
}

/// A stack that runs until [`RunningStack::shutdown`].
pub struct RunningStack {
    stack: Stack,
    addresses: Addresses,
    door: Arc<FrontDoor>,
    host: Option<Arc<Host>>,
    shutdown: watch::Sender<bool>,
    /// What runs beside the requests: the mappings, and rows that are made to expire.
    tasks: JoinSet<()>,
    server: JoinHandle<()>,
}

impl RunningStack {
    /// Starts everything that the template describes behind `listener`, and returns once it takes
    /// requests. Errs, in one sentence, when the template or a function is unusable.
    pub async fn start(listener: TcpListener, config: Config) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let issuer = Issuer::address(&format!("http://{}", reachable(address)));
        let settings = Settings {
            parameters: config.parameters.clone(),
            defaults: config.authentication.parameters(&issuer),
            remote_functions: matches!(config.functions, Functions::Remote(_)),
            ..Settings::new(format!("http://{address}"))
        };
        let stack = Stack::read(&config.template, &settings)?;
        let secrets = Arc::new(Secrets::new(&stack.secrets));
        let issuer = Issuer::new(issuer, config.authentication, &stack, secrets.clone())?;
        let addresses = Addresses::new(&stack, &issuer, address);
        let roles = Roles::new(&stack, &config.faults.revoked)?;
        stack
            .event_source_mappings
            .iter()
            .try_for_each(|mapping| roles.check_poller(mapping))?;
        let activity = Activity::new(&stack.queues);
        let queues = Arc::new(Queues::new(&stack.queues, activity.clone())?);
        let dynamodb = DynamoDb::start(
            config.data.as_deref(),
            &stack.tables,
            config.faults.stale_reads,
        )
        .await?;
        let eventbridge = EventBridge::new(&stack, queues.clone(), Utc::now, activity.clone())?;
        let (invoke, host) =
            start_functions(&stack, &addresses, &roles, &activity, &config).await?;
        let gateway = Gateway::new(
            stack.web_socket_api.clone(),
            &stack.region,
            &stack.account_id,
            config.limits,
            invoke.clone(),
            activity.clone(),
        )?;
        let console = Console::new(
            &stack,
            &addresses,
            gateway.clone(),
            queues.clone(),
            activity.clone(),
        );
        let door = Arc::new(FrontDoor {
            gateway,
            dynamodb,
            queues: queues.clone(),
            eventbridge,
            secrets,
            issuer,
            roles,
            console: Arc::new(console),
            activity,
        });
        door.gateway.set_faults(config.faults.gateway.clone());
        door.queues.set_faults(config.faults.queues);
        // Before the functions: one may ask for a secret or a key while it starts.
        let server = tokio::spawn(front_door::serve(listener, door.clone()));
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
            tasks.spawn(expire_rows(door.clone(), pause, stopping));
        }
        Ok(Self {
            server,
            stack,
            addresses,
            door,
            host,
            shutdown,
            tasks,
        })
    }

    /// What the template describes.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Where everything is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The WebSocket API, to look at its connections or to throttle it.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.door.gateway
    }

    /// The queues, to look into them or to move their time.
    pub fn queues(&self) -> &Arc<Queues> {
        &self.door.queues
    }

    /// The tables, to end rows whose time has come.
    pub fn dynamodb(&self) -> &DynamoDb {
        &self.door.dynamodb
    }

    /// The issuer of test tokens.
    pub fn issuer(&self) -> &Issuer {
        &self.door.issuer
    }

    /// A token for one of the stack's users that holds from now on.
    ///
    /// Errs, in one sentence, if the stack takes no tokens of its own issuer.
    pub fn mint(&self, request: &TokenRequest) -> anyhow::Result<Token> {
        self.issuer().mint(request, Utc::now())
    }

    /// The last call that was refused because the policies of the function that made it do not allow it.
    pub fn refused(&self) -> watch::Receiver<Option<Denied>> {
        self.door.roles.refused()
    }

    /// The function processes, to kill some; none if somebody else runs the functions.
    pub fn functions(&self) -> Option<&Arc<Host>> {
        self.host.as_ref()
    }

    /// Closes every connection, lets running invocations of the queues end, and ends every process.
    pub async fn shutdown(mut self) {
        self.shutdown.send_replace(true);
        self.door.gateway.close_all();
        while self.tasks.join_next().await.is_some() {}
        if let Some(host) = &self.host {
            host.shutdown().await;
        }
        self.server.abort();
    }
}

/// Makes ready to run the functions.
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
        Arc::new(KillSome {
            host: host.clone(),
            functions: functions_behind_queues(stack),
            share: config.faults.killed,
        })
    } else {
        host.clone()
    };
    Ok((invoke, Some(host)))
}

fn functions_behind_queues(stack: &Stack) -> BTreeSet<String> {
    let mappings = stack.event_source_mappings.iter();
    mappings.map(|mapping| mapping.function.clone()).collect()
}

/// Ends the rows of all connections, again and again: none lives longer than two hours.
async fn expire_rows(door: Arc<FrontDoor>, pause: Duration, mut stopping: watch::Receiver<bool>) {
    const LONGER_THAN_ANY: Duration = Duration::from_secs(24 * 60 * 60);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.changed() => return,
        }
        match door.dynamodb.expire(LONGER_THAN_ANY) {
            Ok(rows) => tracing::warn!(rows, "rows expired on purpose"),
            Err(error) => tracing::error!(%error, "no row expired"),
        }
    }
}
