//! Floods of pushes, too large for an algorithm of quadratic time.

use std::time::Duration;

use serde_json::json;

use super::{Effect, Input, Machine, RequestBody, RequestNumber, Rules, SocketId};

const MESSAGES: usize = 50_000;
const LONG: Duration = Duration::from_secs(1_000_000);

/// Makes a machine in the middle of a renewal: socket 2 replaces socket 1, with a message in flight.
fn during_a_renewal() -> Machine {
    let rules = Rules {
        renew_after: Duration::from_secs(1),
        reply_timeout: LONG,
        unanswered_after: LONG,
        repeat_window: 2 * MESSAGES,
        ..Rules::default()
    };
    let mut machine = Machine::new(rules, || 0.0);
    let renewal = Duration::from_secs(1);
    machine.handle(Duration::ZERO, Input::Connect);
    machine.handle(Duration::ZERO, opened(1));
    machine.handle(renewal, Input::Time);
    machine.handle(renewal, opened(2));
    let send = Input::Send {
        request: RequestNumber(1),
        body: RequestBody::new(
            r#"{"action":"sendMessage","message":1,"broadcast":true}"#.to_owned(),
        ),
        safe_to_repeat: false,
        time_to_live: None,
    };
    machine.handle(renewal, send);
    machine
}

fn opened(socket: u64) -> Input {
    Input::Opened {
        socket: SocketId(socket),
    }
}

fn received(socket: u64, frame: &serde_json::Value) -> Input {
    Input::Received {
        socket: SocketId(socket),
        text: frame.to_string(),
    }
}

#[test]
fn messages_held_during_a_renewal_are_delivered_in_order_without_the_own_message() {
    let mut machine = during_a_renewal();
    let now = Duration::from_millis(1001);
    for number in 0..MESSAGES {
        let event_id = format!("e{number}");
        let frame = json!({"type": "message", "message": number, "eventId": event_id});
        assert!(machine.handle(now, received(1, &frame)).is_empty());
    }
    let ack = json!({"type": "ack", "id": "1", "eventId": "e7"});
    let effects = machine.handle(now, received(2, &ack));
    let delivered = effects.iter().filter_map(|effect| match effect {
        Effect::Deliver { push, .. } => Some(push.message::<usize>().expect("a number")),
        _ => None,
    });
    let expected = (0..MESSAGES).filter(|number| *number != 7);
    assert!(delivered.eq(expected));
}
