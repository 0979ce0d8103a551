//! The callers of a URL with `AWS_IAM`: the signature of a request, and the rights of its role.
//!
//! As everywhere in the local stack, the signature itself is not verified.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>

use axum::http::{HeaderMap, header};
use serde::Serialize;

use super::{FunctionUrlServer, Refusal};
use crate::iam::Call;

/// The rights that a caller needs.
const ACTIONS: [&str; 2] = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];

/// The identity of a caller: `requestContext.authorizer.iam`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Caller {
    access_key: String,
    account_id: String,
    caller_id: String,
    cognito_identity: Option<String>,
    principal_org_id: Option<String>,
    user_arn: String,
    user_id: String,
}

impl FunctionUrlServer {
    /// Returns the caller of a request, or refuses a request that is not signed, or whose caller may not
    /// invoke the function. A caller with credentials that belong to no function owns the account.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let access_key = access_key(headers).ok_or(Refusal::Forbidden)?;
        let principal = self.roles.caller(headers);
        if let Some(principal) = principal {
            for action in ACTIONS {
                let call = Call::new(action, &self.url.function_arn);
                principal.check(&call).map_err(|_| Refusal::Forbidden)?;
            }
        }
        let account_id = &self.account_id;
        let (user_arn, id) = match principal {
            Some(principal) => {
                let (_, session) = principal.arn().rsplit_once('/').unwrap_or_default();
                (
                    principal.arn().to_owned(),
                    format!("{access_key}:{session}"),
                )
            }
            None => (
                format!("arn:aws:iam::{account_id}:root"),
                account_id.clone(),
            ),
        };
        Ok(Caller {
            access_key: access_key.to_owned(),
            account_id: account_id.clone(),
            caller_id: id.clone(),
            cognito_identity: None,
            principal_org_id: None,
            user_arn,
            user_id: id,
        })
    }
}

/// Returns the access key of a request that is signed for Lambda: signature version 4 in the header
/// `Authorization`.
fn access_key(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let parameters = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let parameter = |name: &str| {
        let mut parameters = parameters.split(',').map(str::trim);
        parameters.find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
    };
    parameter("SignedHeaders")?;
    parameter("Signature")?;
    headers.get("x-amz-date")?;
    let mut scope = parameter("Credential")?.split('/');
    let access_key = scope.next().filter(|key| !key.is_empty())?;
    let [_date, _region, service, end] = scope.collect::<Vec<_>>()[..] else {
        return None;
    };
    (service == "lambda" && end == "aws4_request").then_some(access_key)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

    use super::access_key;

    #[test]
    fn only_a_complete_signature_for_lambda_names_a_caller() {
        let scope = "20261128/us-east-1/lambda/aws4_request";
        let signed = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders=host;x-amz-date, Signature=0"
        );
        let check = |authorization: &str, with_date: bool, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(authorization).expect("a header");
            headers.insert(header::AUTHORIZATION, value);
            if with_date {
                let date = HeaderValue::from_static("20261128T000000Z");
                headers.insert(HeaderName::from_static("x-amz-date"), date);
            }
            assert_eq!(access_key(&headers), expected, "{authorization}");
        };
        check(&signed, true, Some("AKID"));
        check(&signed, false, None);
        check(&signed.replace(", ", ","), true, Some("AKID"));
        check(&signed.replace("lambda", "sqs"), true, None);
        check(&signed.replace("Signature=", "S="), true, None);
        check(&signed.replace("AKID", ""), true, None);
        check(&signed.replace("/us-east-1", ""), true, None);
        check("Bearer abc", true, None);
        assert_eq!(access_key(&HeaderMap::new()), None);
    }
}
