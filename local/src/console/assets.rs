//! The files of the console's page. They are compiled into the program, so that it always serves the page
//! that belongs to it.

/// The page itself.
pub(super) const PAGE: &str = include_str!("../../../web/console/index.html");

/// Files of a folder in `web`, each under its name.
macro_rules! files {
    ($folder:literal $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../web/", $folder, $name)))),*]
    };
}

/// The page's own files.
static CONSOLE: &[(&str, &str)] = files![
    "console/"
    "activity.js"
    "calls.js"
    "client-card.js"
    "client-forms.js"
    "client-text.js"
    "clients-view.js"
    "commands.js"
    "connections-view.js"
    "console.css"
    "console.js"
    "dom.js"
    "event-entry.js"
    "event-row.js"
    "events-view.js"
    "format.js"
    "frame-node.js"
    "functions-view.js"
    "icon.svg"
    "invocation-node.js"
    "log-row.js"
    "logs-view.js"
    "logs.js"
    "message-row.js"
    "positions.js"
    "presence-frame.js"
    "presence-frames.js"
    "presence-nodes.js"
    "presence-row.js"
    "presence-view.js"
    "presence.js"
    "put-event-view.js"
    "queues-view.js"
    "recent.js"
    "records.js"
    "refresher.js"
    "stack-view.js"
    "step-node.js"
    "trace-summary.js"
    "traces.js"
    "watched-socket.js"
];

/// The client for browsers, which the page uses.
static CLIENT: &[(&str, &str)] = files![
    ""
    "client/client.js"
    "client/driver.js"
    "client/driver/clock.js"
    "client/driver/page.js"
    "client/driver/poster.js"
    "client/driver/readers.js"
    "client/driver/socket.js"
    "client/error.js"
    "client/logged-socket.js"
    "client/machine.js"
    "client/machine/back-off.js"
    "client/machine/batch.js"
    "client/machine/connecting.js"
    "client/machine/continuity.js"
    "client/machine/frame.js"
    "client/machine/gaps.js"
    "client/machine/keep-alive.js"
    "client/machine/link.js"
    "client/machine/log.js"
    "client/machine/logs.js"
    "client/machine/outbox.js"
    "client/machine/polling.js"
    "client/machine/positions.js"
    "client/machine/presence.js"
    "client/machine/pushes.js"
    "client/machine/repeats.js"
    "client/machine/requests.js"
    "client/machine/rules.js"
    "client/machine/signals.js"
    "client/machine/subscribing.js"
    "client/machine/subscriptions.js"
    "client/machine/syncing.js"
    "client/machine/timers.js"
    "client/machine/transports.js"
    "client/options.js"
    "client/state-loader.js"
    "client/subscriber.js"
    "client/subscription.js"
    "client/token.js"
    "herald-client.js"
];

/// Returns the content type and text of a file; `None` if the page has no file of this name.
pub(super) fn file(name: &str) -> Option<(&'static str, &'static str)> {
    let mut files = CONSOLE.iter().chain(CLIENT);
    let (name, text) = files.find(|(given, _)| *given == name)?;
    Some((content_type(name), text))
}

/// Returns the content type for the extension of a name.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The files below a folder of `web`, by their paths from it.
    fn files_of(folder: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../web")
            .join(folder);
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("readable").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).expect("below the folder");
                    files.push(name.to_str().expect("UTF-8").to_owned());
                }
            }
        }
        files
    }

    #[test]
    fn every_file_of_page_and_client_is_served_with_its_content_type() {
        let page = files_of("console").into_iter();
        let page = page.filter(|name| name != "index.html");
        let client = files_of("client").into_iter();
        let client = client.map(|name| format!("client/{name}"));
        for name in page.chain(client).chain(["herald-client.js".to_owned()]) {
            let (content_type, _) = file(&name).unwrap_or_else(|| panic!("{name} is missing"));
            assert!(!content_type.starts_with("text/plain"), "{name}");
        }
    }

    #[test]
    fn other_files_are_not_served() {
        assert_eq!(file("../herald-client.js"), None);
        assert_eq!(file("index.html"), None);
    }
}
