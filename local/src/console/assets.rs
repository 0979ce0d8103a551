//! The files of the console's page. They are compiled into the program, so that it always serves the page
//! that belongs to it.

/// The page itself.
pub(super) const PAGE: &str = include_str!("../../../web/console/index.html");

/// Pairs each file with its name.
macro_rules! files {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../web/console/", $name)))),*]
    };
}

/// The files in `web/console` that the page loads.
static FILES: &[(&str, &str)] = &files![
    "activity.js"
    "calls.js"
    "client-card.js"
    "client-forms.js"
    "client-words.js"
    "clients-view.js"
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
    "message-row.js"
    "put-event-view.js"
    "queues-view.js"
    "recent.js"
    "records.js"
    "refresher.js"
    "stack-view.js"
    "step-node.js"
    "watched-socket.js"
    "way-summary.js"
    "ways.js"
];

const CLIENT: (&str, &str) = (
    "herald-client.js",
    include_str!("../../../web/herald-client.js"),
);

/// Returns the content type and text of a file; `None` if the page has no file of this name.
pub(super) fn file(name: &str) -> Option<(&'static str, &'static str)> {
    let mut files = FILES.iter().chain([&CLIENT]);
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

    #[test]
    fn every_file_of_the_page_is_served_with_its_content_type() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/console");
        for entry in fs::read_dir(folder).expect("the page's folder") {
            let name = entry.expect("readable").file_name();
            let name = name.to_str().expect("UTF-8");
            if name == "index.html" {
                continue;
            }
            let (content_type, _) = file(name).unwrap_or_else(|| panic!("{name} is not in FILES"));
            assert!(!content_type.starts_with("text/plain"), "{name}");
        }
        assert!(file("herald-client.js").is_some());
        assert_eq!(file("../herald-client.js"), None);
        assert_eq!(file("index.html"), None);
    }
}
