use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use herald_shared::delivery::Report;
use saphyr::{LoadableYamlNode, YamlOwned};
use serde_json::{Value, json};

use super::*;

/// Also checks that the next line counts from zero: in one test, because a process has one recorder.
#[test]
fn invocation_is_one_line_of_embedded_metrics() {
    let metrics = Metrics::start("stack-Notifier".to_owned()).expect("the first to start");
    let batch = Batch {
        records: 2,
        report: Report {
            audience: 12,
            delivered: 10,
            gone: 2,
            ..Report::default()
        },
        lags: vec![Duration::from_millis(40), Duration::from_millis(1_250)],
        ..Batch::default()
    };
    let mut document = line(metrics, &batch);
    let timestamp = document["_aws"]["Timestamp"].take();
    assert!(timestamp.is_u64(), "{timestamp}");
    assert_eq!(
        document,
        json!({
            "_aws": {
                "Timestamp": null,
                "CloudWatchMetrics": [{
                    "Namespace": "Herald",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        {"Name": "AudienceSize", "Unit": "Count"},
                        {"Name": "Continuations", "Unit": "Count"},
                        {"Name": "DeadLettered", "Unit": "Count"},
                        {"Name": "Delivered", "Unit": "Count"},
                        {"Name": "Disconnected", "Unit": "Count"},
                        {"Name": "Gone", "Unit": "Count"},
                        {"Name": "Lag", "Unit": "Milliseconds"},
                        {"Name": "Requeued", "Unit": "Count"},
                        {"Name": "Retried", "Unit": "Count"},
                        {"Name": "Throttled", "Unit": "Count"},
                    ],
                }],
            },
            "FunctionName": "stack-Notifier",
            "AudienceSize": 12,
            "Continuations": 0,
            "DeadLettered": 0,
            "Delivered": 10,
            "Disconnected": 0,
            "Gone": 2,
            "Lag": [40.0, 1250.0],
            "Requeued": 0,
            "Retried": 0,
            "Throttled": 0,
        })
    );

    let document = line(metrics, &Batch::default());
    assert_eq!(document["Delivered"], 0);
    assert_eq!(document.get(LAG), None);

    let stale = Batch {
        stale: 2,
        ..Batch::default()
    };
    assert_eq!(line(metrics, &stale)[STALE], json!([2.0]));
    assert_eq!(line(metrics, &Batch::default()).get(STALE), None);
}

fn line(metrics: Metrics, batch: &Batch) -> Value {
    let mut output = Vec::new();
    metrics.write(batch, &mut output).expect("a buffer");
    let text = String::from_utf8(output).expect("text");
    assert_eq!(text.find('\n'), Some(text.len() - 1), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn dashboard_shows_exactly_the_metrics_of_the_notifier() {
    let known: BTreeSet<_> = COUNTS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .chain([STALE.to_owned(), LAG.to_owned()])
        .collect();
    let observability = Observability::read();
    assert_eq!(observability.shown(NOTIFIER), known);
    let alarmed = observability.alarmed(NOTIFIER);
    assert!(alarmed.is_subset(&known), "{alarmed:?}");
    assert!(alarmed.contains("DeadLettered") && alarmed.contains(LAG));
}

#[test]
fn unavailable_keys_have_an_alarm() {
    let expected = BTreeSet::from(["KeysUnavailable".to_owned()]);
    let observability = Observability::read();
    assert_eq!(observability.alarmed(AUTHORIZER), expected);
    assert_eq!(observability.shown(AUTHORIZER), expected);
}

/// The functions that write metrics, by their names in `observability.yaml`.
const NOTIFIER: &str = "NotifierFunction";
const AUTHORIZER: &str = "AuthorizerFunction";

/// The resources of `observability.yaml`.
struct Observability(Vec<YamlOwned>);

impl Observability {
    fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability.yaml");
        let text = fs::read_to_string(file).expect("observability.yaml");
        let documents = YamlOwned::load_from_str(&text).expect("YAML");
        let resources = documents[0]["Resources"].as_mapping().expect("resources");
        Self(resources.values().cloned().collect())
    }

    fn properties<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a YamlOwned> {
        self.0
            .iter()
            .filter(move |resource| resource["Type"].as_str() == Some(kind))
            .map(|resource| &resource["Properties"])
    }

    /// Returns a function's metrics on dashboards.
    fn shown(&self, function: &str) -> BTreeSet<String> {
        self.properties("AWS::CloudWatch::Dashboard")
            .flat_map(|properties| {
                let body = untagged(&properties["DashboardBody"]);
                let body: Value = serde_json::from_str(body).expect("JSON");
                let widgets = body["widgets"].as_array().expect("widgets").clone();
                widgets
                    .into_iter()
                    .flat_map(move |widget| metrics_of(&widget, function))
            })
            .collect()
    }

    /// Returns a function's metrics with alarms.
    fn alarmed(&self, function: &str) -> BTreeSet<String> {
        self.properties("AWS::CloudWatch::Alarm")
            .filter(|alarm| alarm["Namespace"].as_str() == Some(NAMESPACE))
            .filter(|alarm| {
                let dimension = &alarm["Dimensions"][0];
                assert_eq!(dimension["Name"].as_str(), Some(DIMENSION));
                untagged(&dimension["Value"]) == function
            })
            .map(|alarm| alarm["MetricName"].as_str().expect("a name").to_owned())
            .collect()
    }
}

/// Returns a function's metrics in a widget. An entry is `[namespace, name, dimension, value, options]`.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>
fn metrics_of(widget: &Value, function: &str) -> Vec<String> {
    let entries = widget["properties"]["metrics"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry[0] == NAMESPACE)
        .filter(|entry| {
            assert_eq!(entry[2], DIMENSION, "{entry}");
            entry[3] == format!("${{{function}}}")
        })
        .map(|entry| entry[1].as_str().expect("a name").to_owned())
        .collect()
}

/// Returns the text under a tag such as `!Sub`.
fn untagged(node: &YamlOwned) -> &str {
    match node {
        YamlOwned::Tagged(_, node) => node.as_str(),
        node => node.as_str(),
    }
    .expect("a text")
}
