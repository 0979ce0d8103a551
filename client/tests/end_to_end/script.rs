//! The client over a real socket, where the server has to do something of its own choosing.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use herald_client::{
    Client, ConnectError, ConnectionState, Message, Options, RequestError, StopReason, Token,
};
use serde_json::json;

use crate::{
    harness::{entity, in_time, stopped},
    scripted_server::ScriptedServer,
};

/// Tokens `t1`, `t2` and so on.
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
async fn three_refusals_stop_the_client_and_each_had_a_new_token() {
    let server = ScriptedServer::start().await;
    let address = server.web_socket();
    let serve = async {
        let mut seen = Vec::new();
        for status in [401, 503, 403, 429, 401] {
            seen.push(server.refuse(status).await.expect("a token"));
        }
        seen
    };
    let (connected, seen) = tokio::join!(Client::connect(&address, counted_tokens()), serve);
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
    assert_eq!(connected.err(), Some(ConnectError::Stopped(refused)));
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_on_the_open_connection() {
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
async fn the_servers_goodbye_is_obeyed() {
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
async fn whoever_drops_a_subscription_or_stops_waiting_for_it_unsubscribes() {
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
    // The subscriber may be gone before the client has asked.
    if request["action"] == "subscribe" {
        let ack = json!({"type": "ack", "action": "subscribe", "entityId": "order-2", "id": request["id"]});
        served.send(ack).await;
        assert_eq!(served.acknowledge().await["action"], "unsubscribe");
    }
}

#[tokio::test]
async fn a_long_message_travels_in_frames_that_the_gateway_takes() {
    let server = ScriptedServer::start().await;
    let client = Client::start(&server.web_socket(), Options::new()).expect("an address");
    let mut served = server.accept().await;
    let long = "é".repeat(60 * 1024);
    let sent = client.send(Message::echo(long.as_str()));
    let request = served.acknowledge().await;
    assert_eq!(request["message"].as_str(), Some(long.as_str()));
    assert!(in_time("the reply came", sent).await.is_ok());
}

#[tokio::test]
async fn what_was_under_way_when_the_socket_broke_is_unknown() {
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
    assert_eq!(once.await, Err(RequestError::Unknown));
    assert!(in_time("the reply came", again).await.is_ok());
}
