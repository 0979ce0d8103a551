//! Members that do not ask for presence and get pushes all the time: they ping only because their acknowledgement
//! demands it.

use std::{convert::Infallible, time::SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::{SinkExt, StreamExt};
use herald_client::{Client, EntityId, Options, Subscription};
use herald_shared::{
    presence::{DynamoDbMemberRows, MemberRow, MemberRows},
    token_expiry::since_epoch,
};
use herald_testkit::{local_only, patience};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    accept_hdr_async, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

use super::{frames::ROOMS, units::entity};
use crate::harness::{EVERYTHING, TestStack};

const ROOM: &str = "room:1";

/// Changes the acknowledgement of a `subscribe` on its way to the client.
type Change = fn(&mut Value);

#[local_only("has parameters and tokens of its own")]
#[tokio::test]
async fn member_that_is_pushed_to_and_does_not_ask_for_presence_outlives_its_row() {
    let stack = TestStack::start_with_users_and_parameters(ROOMS).await;
    let table = &stack.addresses().table;
    let store = DynamoDbMemberRows::new(aws_sdk_dynamodb::Client::new(stack.aws()), table);
    // Bob's four minutes are one second. Eve's client is older than what its acknowledgement demands.
    let (_bob, mut to_bob) = join(&stack, "bob", |ack| ack["keepAlive"] = json!(1)).await;
    let (_eve, mut to_eve) = join(&stack, "eve", |ack| {
        ack.as_object_mut().unwrap().remove("keepAlive");
    })
    .await;
    let end = since_epoch(SystemTime::now()).as_secs() + 60;
    for row in rows(&store).await {
        end_at(&stack, &row, end).await;
    }

    let pushes = async {
        for number in 0.. {
            let event = json!({"entityId": ROOM, "message": number});
            stack.put_event("Entity Updated", event).await;
            to_bob.recv().await.unwrap();
            to_eve.recv().await.unwrap();
            let mut rows = rows(&store).await.into_iter();
            if rows.any(|row| is_of(&row, "bob") && row.expires_at > end) {
                break;
            }
        }
    };
    timeout(patience(), pushes)
        .await
        .expect("a ping that renews bob's row");
    // Not a snapshot: that lists eve too, until a flush has told that she left.
    let present = rows(&store).await.into_iter();
    let present: Vec<_> = present.filter(|row| row.is_present(end + 1)).collect();
    assert!(
        matches!(&present[..], [row] if is_of(row, "bob")),
        "{present:?}"
    );
    stack.stop().await;
}

/// Subscribes a client of a user behind a relay.
async fn join(stack: &TestStack, user: &str, change: Change) -> (Client, Subscription) {
    let token = stack.token(user, EVERYTHING);
    let options = Options::new().token(move || {
        let token = token.clone();
        async move { Ok::<_, Infallible>(token) }
    });
    let address = relay(stack.addresses().web_socket.clone(), change).await;
    let client = Client::connect(&address, options).await.unwrap();
    let room = EntityId::new(ROOM).unwrap();
    let subscription = client.subscribe(room).await.unwrap();
    (client, subscription)
}

async fn rows(store: &DynamoDbMemberRows) -> Vec<MemberRow> {
    let page = store.members(&entity(ROOM), None).await.unwrap();
    page.rows
}

fn is_of(row: &MemberRow, name: &str) -> bool {
    let user = row.member.user.as_ref();
    user.is_some_and(|user| user.as_str() == name)
}

/// Lets a member row end at a time.
async fn end_at(stack: &TestStack, row: &MemberRow, end: u64) {
    let member = &row.member;
    let user = member.user.as_ref().unwrap();
    let key = format!("{user}#{}", member.connection);
    let update = aws_sdk_dynamodb::Client::new(stack.aws())
        .update_item()
        .table_name(&stack.addresses().table)
        .key("pk", AttributeValue::S(format!("P#{ROOM}")))
        .key("sk", AttributeValue::S(key))
        .update_expression("SET endsAt = :end")
        .expression_attribute_values(":end", AttributeValue::N(end.to_string()));
    update.send().await.unwrap();
}

/// Starts a relay to a stack. Returns its address.
async fn relay(server: String, change: Change) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, server.clone(), change));
        }
    });
    address
}

async fn carry(client: TcpStream, server: String, change: Change) {
    let mut request = server.into_client_request().unwrap();
    let headers = request.headers_mut();
    // The type of the refusal, which is never returned, is tungstenite's.
    #[allow(clippy::result_large_err)]
    let pass_token = |own: &Request, response: Response| -> Result<Response, ErrorResponse> {
        headers.insert("authorization", own.headers()["authorization"].clone());
        Ok(response)
    };
    let mut client = accept_hdr_async(client, pass_token).await.unwrap();
    let (mut server, _) = connect_async(request).await.unwrap();
    loop {
        let sent = tokio::select! {
            Some(Ok(message)) = client.next() => server.send(message).await,
            Some(Ok(message)) = server.next() => client.send(changed(message, change)).await,
            else => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn changed(message: Message, change: Change) -> Message {
    let Message::Text(text) = &message else {
        return message;
    };
    let mut frame: Value = serde_json::from_str(text).unwrap();
    if frame["action"] != "subscribe" {
        return message;
    }
    change(&mut frame);
    Message::text(frame.to_string())
}
