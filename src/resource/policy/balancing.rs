//! How an endpoint is picked.

use crate::resource::duration::GatewayDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an endpoint is picked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.hashOn) || (has(self.strategy) && self.strategy == 'Hash')").message("balancing.hashOn needs balancing.strategy Hash").field_path(".hashOn"),
    validation = Rule::new("!has(self.hashBalanceFactor) || (has(self.strategy) && self.strategy == 'Hash')").message("balancing.hashBalanceFactor needs balancing.strategy Hash").field_path(".hashBalanceFactor")
)]
pub struct Balancing {
    /// The strategy. Default: RoundRobin.
    #[serde(default)]
    pub strategy: BalancingStrategy,
    /// What Hash looks at. Default: the address of the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_on: Option<HashOn>,
    /// The requests under way that an endpoint may have before Hash goes on to the next one, in
    /// percent of its share of all: with `125` a quarter more. So one busy key is spread over
    /// several endpoints. Each replica goes by what it has under way itself, so that they may
    /// disagree about a busy key. 100 to 1000. Default: no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1000))]
    pub hash_balance_factor: Option<i32>,
    /// How long a new endpoint takes to come to its full share, as in `30s`; its share grows
    /// evenly from a tenth. Not with Hash. `0s` turns it off. Default: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<GatewayDuration>,
    /// Where less than so many percent of the endpoints are well, by healthCheck and
    /// outlierEjection, all of them get requests: then it is more likely that the checks are wrong,
    /// or that the others would be overrun. 0 to 100; 0: never. Default: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub panic_threshold: Option<i32>,
}

/// The strategies that pick an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BalancingStrategy {
    /// Each endpoint in turn.
    #[default]
    RoundRobin,
    /// Any endpoint, each as likely.
    Random,
    /// In turn, each as often as its weight says, evenly spread.
    WeightedRoundRobin,
    /// Any endpoint, as likely as its weight says.
    WeightedRandom,
    /// The endpoint with the fewest requests under way; of more than four, the better of two.
    LessLoad,
    /// The same endpoint for the same client, on every replica and after a restart.
    Hash,
}

/// What a hash is made of. A request that lacks it is hashed by the client's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) == (has(self.type) && self.type != 'ClientAddress')").message("balancing.hashOn.name belongs to the types Header, Cookie and QueryParam, and they need it").field_path(".name")
)]
pub struct HashOn {
    /// The kind. Default: ClientAddress.
    #[serde(default, rename = "type")]
    pub type_: HashOnType,
    /// The name of the header field, cookie or query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: Option<String>,
}

/// The kinds of value that a hash is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HashOnType {
    /// The address of the client, as trusted proxies tell it.
    #[default]
    ClientAddress,
    /// The first field of a name.
    Header,
    /// A cookie.
    Cookie,
    /// The first query parameter of a name, as it is written.
    QueryParam,
}
