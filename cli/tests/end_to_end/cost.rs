//! `herald cost`. Unit tests beside the code compare the figures with `docs/cost.md`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ended, herald};

async fn cost(arguments: &[&str]) -> Ended {
    herald(&[&["cost"], arguments].concat()).run("").await
}

#[tokio::test]
async fn text_and_json_contain_the_same_bill() {
    let worked = ["--connections", "10000", "--audience", "100"];
    let table = cost(&worked).await;
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    let rows: Vec<_> = table.stdout.lines().collect();
    assert!(
        rows.iter()
            .any(|row| row.starts_with("total ") && row.ends_with(" 359.09*"))
    );

    let bill = cost(&[&worked[..], &["--json"]].concat()).await;
    let bill: Value = serde_json::from_str(&bill.stdout).expect("one line of JSON");
    assert_eq!(bill["all"], 359.09);
    let lines = bill["lines"].as_array().expect("lines");
    for line in lines {
        let name = line["name"].as_str().expect("a name");
        assert!(rows.iter().any(|row| row.starts_with(name)), "{name}");
    }
    let prices = bill["prices"].as_array().expect("prices");
    assert!(prices.iter().any(|price| price["verified"] == false));
}

#[tokio::test]
async fn history_adds_to_the_bill() {
    let worked = ["--connections", "10000", "--audience", "100", "--json"];
    let usd = async |more: &[&str]| {
        let bill = cost(&[&worked[..], more].concat()).await;
        let bill: Value = serde_json::from_str(&bill.stdout).expect("one line of JSON");
        let line = |name| {
            let mut lines = bill["lines"].as_array().expect("lines").iter();
            let line = lines.find(|line| line["name"] == name).expect(name);
            line["usd"].as_f64().expect("an amount")
        };
        (line("DynamoDB writes"), line("SQS"))
    };
    let (with, without) = (usd(&[]).await, usd(&["--without-history"]).await);
    assert!(with.0 > without.0, "{with:?} after {without:?}");
    assert_eq!(with.1, without.1);
}

#[tokio::test]
async fn events_for_the_backend_add_to_the_bill() {
    let worked = ["--connections", "10000", "--audience", "100", "--json"];
    let all = async |more: &[&str]| {
        let bill = cost(&[&worked[..], more].concat()).await;
        let bill: Value = serde_json::from_str(&bill.stdout).expect("one line of JSON");
        bill["all"].as_f64().expect("an amount")
    };
    let without = all(&[]).await;
    let connections = all(&["--backend-events", "connections"]).await;
    let both = all(&["--backend-events", "connections,subscriptions"]).await;
    assert!(without < connections && connections < both);
}

#[tokio::test]
async fn presence_adds_to_the_bill() {
    let worked = [
        "--connections",
        "10000",
        "--json",
        "--presence-watchers",
        "100",
    ];
    let usd = async |more: &[&str]| {
        let bill = cost(&[&worked[..], more].concat()).await;
        let bill: Value = serde_json::from_str(&bill.stdout).expect("one line of JSON");
        let line = |name| {
            let mut lines = bill["lines"].as_array().expect("lines").iter();
            let line = lines.find(|line| line["name"] == name).expect(name);
            line["usd"].as_f64().expect("an amount")
        };
        (line("DynamoDB writes"), line("messages"))
    };
    let without = usd(&[]).await;
    let members = usd(&["--presence", "1"]).await;
    assert!(without.0 < members.0 && without.1 == members.1);
    let joins = usd(&["--presence", "1", "--presence-joins-a-day", "100000"]).await;
    assert!(members.0 < joins.0 && members.1 == joins.1);
    let frames = usd(&["--presence", "1", "--presence-frames-a-minute", "20"]).await;
    // 864,000 frames to 100 watchers each.
    assert_eq!(((frames.1 - members.1) * 100.0).round(), 8_640.0);
}

#[tokio::test]
async fn printed_prices_can_be_edited_and_used() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("prices.toml");
    let file = file.to_str().expect("UTF-8");
    let printed = cost(&["--print-prices"]).await.stdout;
    let minutes = "usd = 0.25";
    assert!(printed.contains(minutes), "{printed}");
    fs::write(file, printed.replace(minutes, "usd = 2.5")).expect("written");
    let bill = cost(&["--connections", "1000", "--prices", file, "--json"]).await;
    let bill: Value = serde_json::from_str(&bill.stdout).expect("one line of JSON");
    assert_eq!(bill["lines"][0]["usd"], 108.0);

    fs::write(file, "region = 'here'").expect("written");
    for (file, words) in [
        (
            file,
            "is not a valid price table; `herald cost --print-prices` prints one",
        ),
        ("/nowhere", "cannot read the prices in /nowhere"),
    ] {
        let ended = cost(&["--connections", "1", "--prices", file]).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn invalid_usage_figures_are_wrong_usage() {
    for arguments in [
        &[][..],
        &["--connections", "-1"],
        &["--connections", "1", "--audience", "0"],
        &["--connections", "1", "--ping-every", "9"],
        &["--connections", "1", "--pushes-a-day", "many"],
        &["--connections", "1", "--backend-events", "all"],
        &["--connections", "1", "--presence-watchers", "0"],
        &[
            "--connections",
            "1",
            "--pushes-a-day",
            "1",
            "--events-a-day",
            "1",
        ],
    ] {
        assert_eq!(cost(arguments).await.code, Some(2), "{arguments:?}");
    }
}
