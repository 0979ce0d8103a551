//! Tests that the prices and the worked bills in `docs/cost.md` are those of this tool.

use std::{fs, path::Path, time::Duration};

use super::{
    bill::{Bill, Usd},
    prices::{Price, Prices},
    usage::{BackendEvents, Events, Polling, Presence, Published, Usage},
};

/// The connections and the audience of each column of the worked bills.
const WORKED: [(f64, f64); 3] = [(100.0, 10.0), (10_000.0, 100.0), (1_000_000.0, 1_000.0)];

#[test]
fn worked_bills_in_the_docs_match_to_the_cent() {
    let rows = table(&document(), "USD a month");
    let prices = Prices::read(None).expect("a table");
    for (column, (connections, audience)) in WORKED.into_iter().enumerate() {
        let bill = Bill::new(&worked(connections, audience, true), &prices);
        let documented = |label: &str| {
            let row = rows.iter().find(|row| row[0].starts_with(label));
            number(&row.unwrap_or_else(|| panic!("no row {label}"))[column + 1])
        };
        for line in &bill.lines {
            let label = match line.name {
                "fixed resources" => line.unit.as_str(),
                name => name,
            };
            let cents = line.usd.cents() / 100.0;
            assert_eq!(documented(label), cents, "{label} of {connections}");
        }
        assert_eq!(
            rows.len(),
            bill.lines.len() + 3,
            "unexpected number of rows"
        );
        assert_eq!(documented("**all**"), bill.all.cents() / 100.0);
        let without_pings = bill.all_without_pings.expect("a bill with pings");
        assert_eq!(
            documented("all, without pings"),
            without_pings.cents() / 100.0
        );
        assert_eq!(
            Some(documented("**for each connection**")),
            bill.for_each_connection
        );
    }
}

#[test]
fn bills_without_history_in_the_docs_match_to_the_cent() {
    let rows = table(&document(), "USD a month, without history");
    let prices = Prices::read(None).expect("a table");
    for (column, (connections, audience)) in WORKED.into_iter().enumerate() {
        let of = |history| Bill::new(&worked(connections, audience, history), &prices);
        let (without, with) = (of(false), of(true));
        let documented = |label: &str| {
            let row = rows.iter().find(|row| row[0].starts_with(label));
            row.map(|row| number(&row[column + 1]))
        };
        for (line, with) in without.lines.iter().zip(&with.lines) {
            let shown = documented(line.name).unwrap_or_else(|| with.usd.cents() / 100.0);
            assert_eq!(shown, line.usd.cents() / 100.0, "{}", line.name);
        }
        let all = without.all.cents() / 100.0;
        assert_eq!(documented("**all**"), Some(all));
        assert_eq!(
            documented("**for each connection**"),
            without.for_each_connection
        );
        let less = (with.all.0 - without.all.0) / with.all.0 * 100.0;
        assert_eq!(documented("less, %"), Some(less.round()), "{less}");
        let idle = without.all_without_pings.expect("a bill with pings");
        assert_eq!(documented("all, without pings"), Some(idle.cents() / 100.0));
    }
}

#[test]
fn prices_in_the_docs_match_the_built_in_table() {
    let rows = table(&document(), "Item");
    let prices = Prices::read(None).expect("a table");
    for price in prices.all() {
        let row = rows
            .iter()
            .find(|row| row[0] == price.item)
            .unwrap_or_else(|| panic!("no row {:?}", price.item));
        check(price, &row[1], &row[2]);
    }
    assert_eq!(rows.len(), prices.all().len(), "unexpected number of rows");
    let words = format!(
        "{}, US dollars, without free tiers and taxes",
        prices.region
    );
    assert!(document().contains(&words), "{words}");
}

fn check(price: &Price, documented: &str, source: &str) {
    let item = &price.item;
    let (usd, unit) = documented.split_once(' ').unwrap_or((documented, ""));
    assert_eq!(number(usd), price.usd, "{item}");
    assert_eq!(unit.starts_with("/ M"), price.per == 1e6, "{item}");
    let found = match (&price.source, &price.date) {
        (Some(source), Some(date)) => format!("{source}, {date}"),
        _ => "*unverified*".to_owned(),
    };
    assert!(source.starts_with(&found), "{item}: {source}");
    assert_eq!(source.contains("*unverified*"), !price.verified, "{item}");
}

fn worked(connections: f64, audience: f64, history: bool) -> Usage {
    Usage {
        connections,
        events: Events::PushesADay(100.0),
        audience,
        subscriptions: 5.0,
        message_bytes: 500.0,
        ping_every: Some(Duration::from_secs(9 * 60)),
        messages_a_day: 0.0,
        published: Published {
            a_day: 0.0,
            a_request: 1.0,
        },
        polling: Polling {
            clients: 0.0,
            every: Duration::from_secs(15),
        },
        history,
        backend_events: BackendEvents::default(),
        presence: Presence::OFF,
    }
}

/// The table has the USD that each kind of events adds to the worked bills.
#[test]
fn costs_of_events_for_the_backend_in_the_docs_match_to_the_cent() {
    let rows = table(&document(), "USD a month, events for the backend");
    let prices = Prices::read(None).expect("a table");
    assert_eq!(rows.len(), 3);
    for (row, (connections, subscriptions)) in
        rows.iter()
            .zip([(true, false), (false, true), (true, true)])
    {
        for (column, (open, audience)) in WORKED.into_iter().enumerate() {
            let without = worked(open, audience, true);
            let backend_events = BackendEvents {
                connections,
                subscriptions,
            };
            let with = Usage {
                backend_events,
                ..without
            };
            let all = |usage: &Usage| Bill::new(usage, &prices).all.0;
            let added = Usd(all(&with) - all(&without)).cents() / 100.0;
            assert_eq!(number(&row[column + 1]), added, "{} of {open}", row[0]);
        }
    }
}

/// The table has the USD that pings every four minutes, members who stay, and members who join and leave ten times a
/// day add to the worked bills.
#[test]
fn costs_of_presence_in_the_docs_match_to_the_cent() {
    let rows = table(&document(), "USD a month, presence");
    let prices = Prices::read(None).expect("a table");
    assert_eq!(rows.len(), 3);
    for (column, (open, audience)) in WORKED.into_iter().enumerate() {
        let without = worked(open, audience, true);
        let pinging = Usage {
            ping_every: Some(Duration::from_secs(4 * 60)),
            ..without
        };
        let staying = Usage {
            presence: Presence {
                subscriptions: 1.0,
                watchers: audience,
                ..Presence::OFF
            },
            ..pinging
        };
        let moving = Usage {
            presence: Presence {
                joins_a_day: 10.0 * open,
                frames_a_minute: 20.0 * open / (24.0 * 60.0),
                ..staying.presence
            },
            ..staying
        };
        let steps = [without, pinging, staying, moving];
        for (row, pair) in rows.iter().zip(steps.windows(2)) {
            let all = |usage: &Usage| Bill::new(usage, &prices).all.0;
            let added = Usd(all(&pair[1]) - all(&pair[0])).cents() / 100.0;
            assert_eq!(number(&row[column + 1]), added, "{} of {open}", row[0]);
        }
    }
}

/// The table has the USD that the members of one room add, of which one joins or leaves in every frame.
#[test]
fn costs_of_a_busy_room_in_the_docs_match_to_the_cent() {
    let rows = table(&document(), "USD a month, one room");
    let prices = Prices::read(None).expect("a table");
    let seconds = [2.0, 3.0, 10.0, 60.0];
    assert_eq!(rows.len(), seconds.len());
    for (row, seconds) in rows.iter().zip(seconds) {
        for (column, members) in [10.0, 100.0, 1_000.0].into_iter().enumerate() {
            let quiet = Usage {
                presence: Presence {
                    subscriptions: 1.0,
                    watchers: members,
                    ..Presence::OFF
                },
                ping_every: Some(Duration::from_secs(4 * 60)),
                ..worked(members, members, true)
            };
            let busy = Usage {
                presence: Presence {
                    joins_a_day: 24.0 * 3600.0 / seconds / 2.0,
                    frames_a_minute: 60.0 / seconds,
                    ..quiet.presence
                },
                ..quiet
            };
            let all = |usage: &Usage| Bill::new(usage, &prices).all.0;
            let added = Usd(all(&busy) - all(&quiet)).cents() / 100.0;
            assert_eq!(number(&row[column + 1]), added, "{} of {members}", row[0]);
        }
    }
}

/// The table has the USD of a million messages to one connection each, and of a client that polls all month.
#[test]
fn costs_over_http_in_the_docs_match_to_the_cent() {
    let rows = table(&document(), "USD over HTTP");
    let prices = Prices::read(None).expect("a table");
    let idle = Usage {
        events: Events::ADay(0.0),
        ping_every: None,
        ..worked(0.0, 1.0, true)
    };
    let added = |usage: Usage| Bill::new(&usage, &prices).all.0 - Bill::new(&idle, &prices).all.0;
    let a_day = 1e6 / 30.0;
    let published = |a_request| {
        let published = Published { a_day, a_request };
        added(Usage { published, ..idle })
    };
    let polling = |seconds| {
        let polling = Polling {
            clients: 1.0,
            every: Duration::from_secs(seconds),
        };
        added(Usage { polling, ..idle })
    };
    let events = Events::ADay(a_day);
    let computed = [
        added(Usage { events, ..idle }),
        published(1.0),
        published(10.0),
        published(100.0),
        polling(2),
        polling(5),
        polling(15),
    ];
    assert_eq!(rows.len(), computed.len());
    for (row, usd) in rows.iter().zip(computed) {
        assert_eq!(number(&row[1]), Usd(usd).cents() / 100.0, "{}", row[0]);
    }
}

fn document() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cost.md");
    fs::read_to_string(file).expect("docs/cost.md")
}

/// Returns the rows of the first table whose first column has this heading.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let start = format!("| {heading} |");
    let lines = document
        .lines()
        .skip_while(|line| !line.starts_with(&start));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

fn number(text: &str) -> f64 {
    let digits = text.replace([',', '*'], "");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number: {text}"))
}
