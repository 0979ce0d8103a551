//! Texts that arrive exactly as they were sent.

use serde_json::{Value, json};

use crate::harness::TestStack;

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        "\"quotes\" and \\backslashes\\ / slashes",
        "\u{0}",
        "a\u{0}b\u{1}\u{1f}\u{7f}\u{80}\u{9f}",
        "line\nfeed\r\n\ttab",
        "\u{2028}\u{2029}",
        "🎉👩‍👩‍👧‍👦🏳️‍🌈",
        "\u{feff}bom",
        "\u{fffd}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}",
        "\u{d7ff}\u{e000}",
        "ﷺ العربية עברית",
        "{\"type\":\"ack\"}",
        "</script><!-- %s ${x} $connect",
    ]
    .map(str::to_owned)
    .into();
    // Every character of the basic plane.
    texts.push(
        (0..=0xffff_u32)
            .filter_map(char::from_u32)
            .take(20_000)
            .collect(),
    );
    texts
}

#[tokio::test]
async fn texts_are_echoed_unchanged() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    for text in texts() {
        let request = json!({"action": "sendMessage", "message": text, "name": text});
        client.send_in_frames(&request.to_string()).await;
        let echo = client.frame().await;
        assert_eq!(echo["message"], text);
        assert_eq!(echo["name"], text);
    }
    stack.stop().await;
}

#[tokio::test]
async fn texts_reach_other_clients_unchanged() {
    let stack = TestStack::start().await;
    let (mut sender, mut reader) = (stack.client().await, stack.client().await);
    for text in texts() {
        let request = json!({"action": "sendMessage", "message": text, "broadcast": true});
        sender.send_in_frames(&request.to_string()).await;
        assert_eq!(sender.frame().await["type"], "ack");
        assert_eq!(reader.frame().await["message"], text);
    }
    for text in texts() {
        stack.put_event("Broadcast", json!({"message": text})).await;
        assert_eq!(sender.frame().await["message"], text);
        assert_eq!(reader.frame().await["message"], text);
    }
    stack.stop().await;
}

#[tokio::test]
async fn json_of_a_message_is_passed_on_unchanged() {
    let stack = TestStack::start().await;
    let (mut sender, mut reader) = (stack.client().await, stack.client().await);
    for message in [
        "12345678901234567890123.50",
        "1E400",
        r#"{"b":1,"a":2,"b":3}"#,
        r#""\u00e9\ud800""#,
        "[ 1 ,\t2 ]",
    ] {
        let frame = format!(r#"{{"action":"sendMessage","message":{message}}}"#);
        sender.send_text(&frame).await;
        assert_eq!(
            sender.text().await,
            format!(r#"{{"type":"message","message":{message}}}"#)
        );
        let frame = format!(r#"{{"action":"sendMessage","broadcast":true,"message":{message}}}"#);
        sender.send_text(&frame).await;
        assert!(sender.text().await.starts_with(r#"{"type":"ack""#));
        let push = reader.text().await;
        let start = format!(r#"{{"type":"message","message":{message},"#);
        assert!(push.starts_with(&start), "{push}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn messages_of_100_kb_arrive_whole() {
    let stack = TestStack::start().await;
    let (mut sender, mut reader) = (stack.client().await, stack.client().await);
    reader.subscribe("room-1").await;
    let text = "é🎉x".repeat(100 * 1024 / 7);
    let echoed = json!({"action": "sendMessage", "message": text});
    sender.send_in_frames(&echoed.to_string()).await;
    assert_eq!(sender.frame().await["message"], text);

    let sent = json!({"action": "sendMessage", "message": text, "entityId": "room-1"});
    sender.send_in_frames(&sent.to_string()).await;
    assert_eq!(sender.frame().await["type"], "ack");
    assert_eq!(reader.frame().await["message"], text);

    let event = json!({"entityId": "room-1", "message": {"text": text}});
    stack.put_event("Entity Updated", event).await;
    let push: Value = reader.frame().await;
    assert_eq!(push["message"]["text"], text);
    stack.stop().await;
}
