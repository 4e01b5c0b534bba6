//! Flags for the store that replicas share.

use crate::settings::{SharedStore, StoreState};
use clap::Args;
use redis::{Client, ConnectionInfo, IntoConnectionInfo as _};
use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

/// The variable with the password of the store. It is no flag: flags can be read by others.
pub const PASSWORD: &str = "PAIFANG_REDIS_PASSWORD";

/// The store that replicas share.
#[derive(Clone, Debug, Args)]
pub struct StoreArgs {
    /// The Redis or Valkey in which replicas count limits of scope Cluster together, as
    /// redis://HOST:PORT, or rediss:// for TLS. Its password may stand in `PAIFANG_REDIS_PASSWORD`.
    #[arg(long, env = "PAIFANG_REDIS", value_name = "URL", hide_env_values = true, value_parser = read)]
    pub redis: Option<StoreUrl>,
    /// How long a request waits for it; then it passes uncounted.
    #[arg(long, env = "PAIFANG_REDIS_TIMEOUT", value_name = "DURATION", default_value = "50ms", value_parser = timeout)]
    pub redis_timeout: Duration,
}

/// Where the store is, and who asks it.
///
/// What is wrong with it is told later, by [`StoreArgs::store`]: the parser of flags would show the
/// text, and with it a password.
#[derive(Clone)]
pub struct StoreUrl(Result<ConnectionInfo, String>);

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may hold a password.
        f.write_str("StoreUrl")
    }
}

impl StoreArgs {
    /// The store, if there is one. A password in the URL wins over the other.
    ///
    /// # Errors
    /// When the URL is none, or asks for what this build does not have.
    pub fn store(&self, password: Option<String>) -> Result<Option<SharedStore>, String> {
        let Some(StoreUrl(read)) = self.redis.clone() else { return Ok(None) };
        let info =
            read.map_err(|error| format!("--redis: {error}; what is given is not shown, as it may hold a password"))?;
        let settings = info.redis_settings().clone();
        let settings = match password {
            Some(password) if settings.password().is_none() => settings.set_password(password),
            _ => settings,
        };
        let client = Client::open(info.set_redis_settings(settings)).map_err(|error| format!("--redis: {error}"))?;
        Ok(Some(SharedStore { client, timeout: self.redis_timeout, state: Arc::<StoreState>::default() }))
    }
}

fn read(text: &str) -> Result<StoreUrl, Infallible> {
    Ok(StoreUrl(url(text)))
}

/// The text is not shown: it may hold a password.
fn url(text: &str) -> Result<ConnectionInfo, String> {
    const FORM: &str = "write redis://HOST:PORT, or rediss://HOST:PORT for TLS";
    if !text.starts_with("redis://") && !text.starts_with("rediss://") {
        return Err(FORM.to_owned());
    }
    text.into_connection_info().map_err(|error| format!("{error}: {FORM}"))
}

fn timeout(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(1);
    let time = super::duration(text)?;
    if (LEAST..=MOST).contains(&time) {
        return Ok(time);
    }
    Err(format!("`{text}` is out of range: write a time from 1ms to 1s"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn parsed(flags: &[&str]) -> Result<StoreArgs, String> {
        let flags = ["test"].iter().chain(flags);
        Flags::try_parse_from(flags).map(|flags| flags.store).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_comes_from_the_url_or_from_beside_it() {
        let password = |url: &str| {
            let store = parsed(&["--redis", url]).unwrap().store(Some("beside".to_owned())).unwrap().unwrap();
            store.client.get_connection_info().redis_settings().password().map(str::to_owned)
        };
        assert_eq!(password("redis://127.0.0.1:6379/3").as_deref(), Some("beside"));
        assert_eq!(password("rediss://gateway:within@redis.example").as_deref(), Some("within"));
        assert!(parsed(&[]).unwrap().store(Some("beside".to_owned())).unwrap().is_none());
    }

    #[test]
    fn what_is_no_store_is_refused_with_the_form() {
        for url in ["redis", "http://u:hush@h:6379", "redis://", "redis://u:hush@h:port", "redis://u:hush@h/hush"] {
            let refused = parsed(&["--redis", url]).unwrap().store(None).unwrap_err();
            assert!(refused.contains("write redis://HOST:PORT"), "{url}: {refused}");
            assert!(!refused.contains("hush"), "{url}: {refused}");
        }
        let refused = parsed(&["--redis-timeout", "2s"]).map(|_| ()).unwrap_err();
        assert!(refused.contains("write a time from 1ms to 1s"), "{refused}");
    }

    #[test]
    fn no_password_is_shown_by_mistake() {
        let args = parsed(&["--redis", "redis://:hush@127.0.0.1"]).unwrap();
        assert!(!format!("{args:?}{:?}", args.store(None)).contains("hush"));
    }
}
