//! The id under which a client that polls is charged, in place of a connection's.

use aws_lc_rs::digest::{SHA256, digest};
use herald_shared::ids::{ConnectionId, UserId};

/// The bytes of the hash of a user's id that are used.
const HASH_BYTES: usize = 16;

/// Returns the id of a user, hashed because a user's id may be longer than a connection's, or of the address of an
/// anonymous client. No connection has such an id: the gateway's have no colon.
pub(super) fn id(user: Option<&UserId>, source_ip: &str) -> ConnectionId {
    let id = match user {
        Some(user) => {
            let hash = digest(&SHA256, user.as_str().as_bytes());
            format!("http:user:{}", hex::encode(&hash.as_ref()[..HASH_BYTES]))
        }
        None => format!("http:ip:{source_ip}"),
    };
    ConnectionId::new(id).expect("a short text of a hash or an address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_and_each_address_has_its_own_id() {
        let user = |id: &str| UserId::new(id).expect("an id");
        let ids = [
            id(Some(&user("ann")), "192.0.2.1"),
            id(Some(&user(&"é".repeat(128))), "192.0.2.1"),
            id(None, "192.0.2.1"),
            id(None, "2001:db8:85a3:8d3:1319:8a2e:370:7348"),
        ];
        assert_eq!(ids[0], id(Some(&user("ann")), "192.0.2.2"));
        for (index, one) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(one), "{one}");
        }
    }
}
