//! The values that a template does not hold itself: account, Region, stack name, parameters.

use std::collections::BTreeMap;

/// The values that the reader fills into a template.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address that serves every AWS service here, e.g. `http://127.0.0.1:3030`; queue URLs start
    /// with it.
    pub endpoint: String,
    /// The addresses of function URLs by logical id. A URL that is not listed has an address as on
    /// AWS, which nothing serves.
    pub function_urls: BTreeMap<String, String>,
    /// Values for the template's parameters, all of which it must have; the others keep their
    /// defaults.
    pub parameters: BTreeMap<String, String>,
    /// Values that replace the template's own defaults; parameters that it does not have are ignored.
    pub defaults: BTreeMap<String, String>,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::StackName`, with which the names of all resources begin.
    pub stack_name: String,
    /// True if another program runs the functions, behind Lambda's Invoke API. The reader then ignores
    /// their code, runtimes and binaries.
    pub remote_functions: bool,
}

impl Settings {
    /// Returns settings for a stack served at `endpoint`, with the defaults: no parameters, Region
    /// `us-east-1`, account `123456789012`, stack `herald-local`, functions run here.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            function_urls: BTreeMap::new(),
            parameters: BTreeMap::new(),
            defaults: BTreeMap::new(),
            region: "us-east-1".to_owned(),
            account_id: "123456789012".to_owned(),
            stack_name: "herald-local".to_owned(),
            remote_functions: false,
        }
    }
}
