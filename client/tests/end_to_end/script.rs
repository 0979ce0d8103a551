//! The client over a real socket, against a scripted server.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use herald_client::{
    AttemptError, Client, ConnectionState, Message, Options, RequestError, StopReason,
    SubscriptionError, Token,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    harness::{entity, in_time, stopped},
    scripted_server::ScriptedServer,
};

/// Returns options whose tokens are `t1`, `t2` and so on.
fn counted_tokens() -> Options {
    let count = AtomicUsize::new(0);
    let next = move || {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok::<_, std::io::Error>(format!("t{number}")) }
    };
    Options::new()
        .token(next)
        .back_off(Duration::from_millis(1), Duration::from_millis(10))
}

#[tokio::test]
async fn three_refusals_stop_the_client_and_every_attempt_has_a_new_token() {
    let server = ScriptedServer::start().await;
    let address = server.web_socket();
    let serve = async {
        let mut seen = Vec::new();
        for status in [401, 503, 403, 429, 401] {
            seen.push(server.refuse(status).await.expect("a token"));
        }
        seen
    };
    let client = Client::start(&address, counted_tokens()).expect("an address");
    let (stopped, seen) = tokio::join!(stopped(&client), serve);
    assert_eq!(
        seen,
        [
            "Bearer t1",
            "Bearer t2",
            "Bearer t3",
            "Bearer t4",
            "Bearer t5"
        ]
    );
    let refused = StopReason::Refused { status: Some(401) };
    assert_eq!(stopped, ConnectionState::Stopped(refused));
}

#[tokio::test]
async fn token_is_renewed_on_the_open_connection_before_it_expires() {
    let server = ScriptedServer::start().await;
    let short =
        || async { Ok::<_, std::io::Error>(Token::lasting("short", Duration::from_secs(1))) };
    let client =
        Client::start(&server.web_socket(), Options::new().token(short)).expect("an address");
    let mut served = server.accept().await;
    assert_eq!(served.authorization.as_deref(), Some("Bearer short"));
    let request = served.acknowledge().await;
    assert_eq!(
        request,
        json!({"action": "authenticate", "token": "short", "id": "1"})
    );
    assert_eq!(client.state(), ConnectionState::Open);
}

#[tokio::test]
async fn longest_times_mean_never() {
    let server = ScriptedServer::start().await;
    let never = Duration::MAX;
    let token = move || async move { Ok::<_, std::io::Error>(Token::lasting("t1", never)) };
    let options = Options::new()
        .token(token)
        .connect_timeout(never)
        .stable_after(never)
        .time_to_live(never)
        .keep_alive(never, never)
        .unanswered_after(never)
        .reply_timeout(never)
        .renewal(never, never);
    let client = Client::start(&server.web_socket(), options).expect("an address");
    let mut served = server.accept().await;
    let message = Message::to_entity(entity("room-1"), "Hello");
    let sent = [
        client.send(message.clone()),
        client.send(message.time_to_live(never)),
    ];
    for reply in sent {
        served.acknowledge().await;
        in_time("a reply arrived", reply).await.expect("a reply");
    }
    drop(served);
    in_time("the client closed", client.close(never)).await;
    let closed = ConnectionState::Stopped(StopReason::Closed);
    assert_eq!(client.state(), closed);
}

#[tokio::test]
async fn disconnect_frame_reconnects_or_stops_the_client() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), counted_tokens()).expect("an address");
    let mut served = server.accept().await;
    served.send(json!({"type": "disconnect", "code": "token_expired", "reason": "token expired", "reconnect": true})).await;
    assert_eq!(served.frame().await, None);
    let mut served = server.accept().await;
    assert_eq!(served.authorization.as_deref(), Some("Bearer t2"));
    served.send(json!({"type": "disconnect", "code": "user_disconnected", "reason": "signed out", "reconnect": false})).await;
    assert_eq!(served.frame().await, None);
    let reason = StopReason::Disconnected {
        code: Some("user_disconnected".to_owned()),
        reason: Some("signed out".to_owned()),
    };
    assert_eq!(stopped(&client).await, ConnectionState::Stopped(reason));
}

#[tokio::test]
async fn dropped_subscription_unsubscribes_even_before_its_acknowledgement() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), Options::new()).expect("an address");
    let mut served = server.accept().await;
    let (order, request) = tokio::join!(client.subscribe(entity("order-1")), served.acknowledge());
    assert_eq!(
        request,
        json!({"action": "subscribe", "entityId": "order-1", "id": "1"})
    );
    drop(order);
    let request = served.acknowledge().await;
    assert_eq!(
        request,
        json!({"action": "unsubscribe", "entityId": "order-1", "id": "2"})
    );

    {
        let mut impatient = Box::pin(client.subscribe(entity("order-2")));
        let polled = futures_util::poll!(&mut impatient);
        assert!(polled.is_pending());
    }
    let request = served.frame().await.expect("a request");
    // The client may learn of the dropped subscriber before it sends the request.
    if request["action"] == "subscribe" {
        let ack = json!({"type": "ack", "action": "subscribe", "entityId": "order-2", "id": request["id"]});
        served.send(ack).await;
        assert_eq!(served.acknowledge().await["action"], "unsubscribe");
    }
}

#[tokio::test]
async fn long_message_is_split_into_frames_that_the_gateway_accepts() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), Options::new()).expect("an address");
    let mut served = server.accept().await;
    let long = "é".repeat(60 * 1024);
    let sent = client.send(Message::echo(long.as_str()));
    let request = served.acknowledge().await;
    assert_eq!(request["message"].as_str(), Some(long.as_str()));
    assert!(in_time("the reply arrived", sent).await.is_ok());
}

#[tokio::test]
async fn message_in_flight_on_a_broken_socket_has_an_unknown_outcome_unless_safe_to_repeat() {
    let server = ScriptedServer::start().await;
    let options = Options::new().back_off(Duration::from_millis(1), Duration::from_millis(10));
    let client = Client::start(&server.web_socket(), options).expect("an address");
    let mut served = server.accept().await;
    let once = client.send(Message::echo("once"));
    let again = client.send(Message::echo("again").safe_to_repeat());
    served.frame().await.expect("a request");
    served.frame().await.expect("a request");
    drop(served);
    let mut served = server.accept().await;
    assert_eq!(served.acknowledge().await["message"], "again");
    assert_eq!(once.await, Err(RequestError::OutcomeUnknown));
    assert!(in_time("the reply arrived", again).await.is_ok());
}

#[tokio::test]
async fn panic_of_the_token_callback_fails_the_attempt() {
    let server = ScriptedServer::start().await;
    let asked = AtomicUsize::new(0);
    let callback = move || {
        let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(number > 1, "panics before there is a future");
        async move {
            assert!(number > 2, "panics in the future");
            Ok::<_, std::io::Error>(format!("t{number}"))
        }
    };
    let options = Options::new()
        .token(callback)
        .back_off(Duration::from_millis(1), Duration::from_millis(10));
    let client = Client::start(&server.web_socket(), options).expect("an address");
    let served = server.accept().await;
    assert_eq!(served.authorization.as_deref(), Some("Bearer t3"));
    let Some(AttemptError::TokenCallback(panic)) = client.last_failure() else {
        panic!("{:?}", client.last_failure());
    };
    assert_eq!(panic.to_string(), "panic: panics in the future");
}

#[tokio::test]
async fn token_callback_that_hangs_is_dropped_with_its_attempt() {
    struct Asked(mpsc::UnboundedSender<()>);
    impl Drop for Asked {
        fn drop(&mut self) {
            // Fails only at the end of the test.
            let _ = self.0.send(());
        }
    }
    let server = ScriptedServer::start().await;
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let hanging = move || {
        let asked = Asked(sender.clone());
        async move {
            let _asked = asked;
            std::future::pending::<Result<String, std::io::Error>>().await
        }
    };
    let millisecond = Duration::from_millis(1);
    let options = Options::new()
        .token(hanging)
        .connect_timeout(millisecond)
        .back_off(millisecond, millisecond);
    let client = Client::start(&server.web_socket(), options).expect("an address");
    for _ in 0..3 {
        in_time("a callback was dropped", dropped.recv()).await;
    }
    assert!(!matches!(client.state(), ConnectionState::Stopped(_)));
}

#[tokio::test]
async fn unknown_connection_is_replaced_and_its_message_sent_again() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), counted_tokens()).expect("an address");
    let mut served = server.accept().await;
    let (order, _) = tokio::join!(client.subscribe(entity("order-1")), served.acknowledge());
    let sent = client.send(Message::echo("hello"));
    let request = served.frame().await.expect("a request");
    let code = "unknown_connection";
    served.send(json!({"type": "error", "action": "sendMessage", "id": request["id"], "code": code, "message": "connect again", "retryable": false})).await;
    assert_eq!(served.frame().await, None);
    let mut served = server.accept().await;
    assert_eq!(served.acknowledge().await["entityId"], "order-1");
    assert_eq!(served.acknowledge().await["message"], "hello");
    assert!(in_time("the reply arrived", sent).await.is_ok());
    assert!(order.is_ok());
}

#[tokio::test]
async fn hundred_subscriptions_share_one_frame_on_every_connection() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), counted_tokens()).expect("an address");
    let mut served = server.accept().await;
    let entities = (0..100).map(|number| client.subscribe(entity(format!("entity-{number}"))));
    let subscribed = futures_util::future::try_join_all(entities);
    let (subscribed, first) = tokio::join!(subscribed, served.acknowledge());
    let _subscriptions = subscribed.expect("acknowledged");
    drop(served);
    let mut served = server.accept().await;
    let again = served.acknowledge().await;
    for request in [first, again] {
        let count = request["entities"].as_object().map(|all| all.len());
        assert_eq!(count, Some(100));
    }
    let mut states = client.states();
    let open = states.wait_for(|state| *state == ConnectionState::Open);
    in_time("the client was open again", open)
        .await
        .expect("a client");
}

#[tokio::test]
async fn broken_connection_ends_without_close_and_is_opened_again() {
    let server = ScriptedServer::start().await;
    let options = Options::new().back_off(Duration::from_millis(1), Duration::from_millis(10));
    let client = Client::start(&server.web_socket(), options).expect("an address");
    let mut served = server.accept().await;
    let subscribing = client.subscribe(entity("order-1"));
    let (subscribed, _) = tokio::join!(subscribing, served.acknowledge());
    let _subscription = subscribed.expect("acknowledged");
    client.break_connection();
    served.broken().await;
    let mut served = server.accept().await;
    assert_eq!(served.acknowledge().await["entityId"], "order-1");
}

#[tokio::test]
async fn partly_sent_error_has_the_event_ids() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), Options::new()).expect("an address");
    let mut served = server.accept().await;
    let sent = client.send(Message::echo("several"));
    let request = served.frame().await.expect("a request");
    served.send(json!({"type": "error", "action": "sendMessage", "id": request["id"], "code": "partly_sent", "message": "1 of 2", "retryable": false, "eventIds": ["e-1", null]})).await;
    let Err(RequestError::Server(error)) = in_time("the reply arrived", sent).await else {
        panic!("not refused");
    };
    assert_eq!(error.event_ids, [Some("e-1".to_owned()), None]);
}

#[tokio::test]
async fn readers_of_a_stopped_client_end() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), Options::new()).expect("an address");
    let mut before = client.notifications();
    client.close(Duration::ZERO).await;
    let mut after = client.broadcasts();
    let ended = Err(SubscriptionError::Ended(RequestError::Stopped));
    assert_eq!(in_time("the reader ended", before.recv()).await, ended);
    assert_eq!(in_time("the reader ended", after.recv()).await, ended);
}

#[tokio::test]
async fn message_without_a_json_form_fails_alone() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), Options::new()).expect("an address");
    let keys_are_no_texts = BTreeMap::from([((1, 2), 3)]);
    let failed = client.send(Message::echo(keys_are_no_texts));
    let sent = client.send(Message::echo(1));
    let mut served = server.accept().await;
    assert_eq!(served.acknowledge().await["message"], 1);
    assert!(in_time("the reply arrived", sent).await.is_ok());
    let error = failed.await.expect_err("no JSON form");
    assert!(matches!(error, RequestError::Serialize(_)), "{error:?}");
    let source = error.source().expect("the serialiser's error");
    assert!(source.is::<serde_json::Error>(), "{source}");
}
