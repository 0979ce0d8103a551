//! A stack whose clients need tokens, and requests to it.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use herald_local::{Authentication, Config, Functions, RunningStack};
use herald_testkit::sdk_config;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tempfile::TempDir;

use crate::programs::example;

/// A running stack of the template beside this file.
pub struct TestStack {
    pub running: RunningStack,
    _binaries: TempDir,
}

/// A response, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Returns the message of a refusal.
    pub fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

impl TestStack {
    pub async fn start(authentication: Authentication, parameters: &[(&str, &str)]) -> Self {
        let started = Self::try_start(authentication, parameters).await;
        started.unwrap_or_else(|error| panic!("{error:#}"))
    }

    pub async fn try_start(
        authentication: Authentication,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let parameters = parameters.iter();
        let parameters = parameters.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self::run(|config| {
            config.authentication = authentication;
            config.parameters = parameters.collect();
        })
        .await
    }

    /// Starts a stack with a changed configuration.
    pub async fn run(change: impl FnOnce(&mut Config)) -> anyhow::Result<Self> {
        let binaries = binaries();
        let functions = Functions::Prebuilt(binaries.path().to_owned());
        let mut config = Config::new(template(), functions);
        change(&mut config);
        Ok(Self {
            running: herald_testkit::start(config).await?,
            _binaries: binaries,
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.running.addresses().endpoint
    }

    /// Returns a variable of the authorizer's environment.
    pub fn variable(&self, name: &str) -> &str {
        let mut functions = self.running.stack().functions.iter();
        let authorizer = functions.find(|function| function.binary == "authorizer");
        &authorizer.unwrap().environment[name]
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Requests a token.
    pub async fn post_token(&self, body: &str) -> Answer {
        self.send(Method::POST, "/auth/token", &[], body).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        send(method, &format!("{}{path}", self.endpoint()), headers, body).await
    }

    /// Returns the real SDK's client for Secrets Manager.
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        secrets_at(self.endpoint())
    }
}

/// Sends a request and reads the whole response.
pub async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned())));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.into()).unwrap(),
    }
}

pub fn secrets_at(endpoint: &str) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(&sdk_config(endpoint))
}

/// Returns the path of the template beside this file.
pub fn template() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/authentication");
    folder.join("template.yaml")
}

/// Creates a folder with the functions of [`template`], whose authorizer allows every connection.
pub fn binaries() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for binary in ["authorizer", "connect"] {
        symlink(example("scripted_function"), folder.path().join(binary)).unwrap();
    }
    folder
}
