//! One etcd, one API server and one controller manager on loopback, shared by all scenarios.
//!
//! Without kubelets: pods are accepted and stay pending unless somebody patches their status.

use crate::api::Api;
use crate::credentials::{self, Authority, Tokens, USERS};
use crate::process::Server;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// From start to `/readyz`. It takes 5 s when nothing else runs.
const READY_SECONDS_MAX: u64 = 120;
const POLL: Duration = Duration::from_millis(100);

/// The running control plane; dropping it ends it and removes its data.
pub(crate) struct ControlPlane {
    pub(crate) url: String,
    pub(crate) authority: Authority,
    pub(crate) tokens: Tokens,
    pub(crate) api: Api,
    pub(crate) kubectl: PathBuf,
    programs: PathBuf,
    logs: PathBuf,
    /// In the order in which they have to end.
    _manager: Server,
    api_server: Mutex<Option<Server>>,
    _etcd: Server,
    ports: Ports,
    folder: TempDir,
}

struct Ports {
    etcd: u16,
    etcd_peer: u16,
    api: u16,
}

impl ControlPlane {
    /// Starts the programs in the folder `programs`, their output kept in `logs`.
    pub(crate) async fn start(programs: &Path, logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("make {}", logs.display()))?;
        let folder = TempDir::with_prefix("bowline-cluster-").context("make a folder")?;
        let path = folder.path();
        let ports = Ports::free()?;
        let url = format!("https://127.0.0.1:{}", ports.api);
        let (authority, tokens) = (Authority::new()?, Tokens::new()?);
        authority.write(path)?;
        fs::write(path.join("tokens.csv"), tokens.csv()).context("write the tokens")?;
        for user in USERS {
            let text = credentials::kubeconfig(&tokens, user, &url, path);
            fs::write(path.join(user), text).context("write a kubeconfig")?;
        }
        let start = |name: &str, arguments: Vec<String>| {
            Server::start(&programs.join(name), &arguments, &logs.join(name).with_extension("log"))
        };
        let etcd = start("etcd", etcd_arguments(path, &ports))?;
        let api_server = start("kube-apiserver", api_arguments(path, &ports))?;
        let api = Api::new(&url, &authority.pem, &tokens.admin)?;
        ready(&api, logs).await?;
        let manager = start("kube-controller-manager", manager_arguments(path))?;
        let plane = Self {
            url,
            authority,
            tokens,
            api,
            kubectl: programs.join("kubectl"),
            programs: programs.to_owned(),
            logs: logs.to_owned(),
            _manager: manager,
            api_server: Mutex::new(Some(api_server)),
            _etcd: etcd,
            ports,
            folder,
        };
        Ok(plane)
    }

    /// Where the users' kubeconfigs are, by name, and the authority's certificate `ca.pem`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills the API server and starts it again on the same port.
    pub(crate) async fn restart(&self) -> Result<()> {
        {
            let mut server = self.api_server.lock().unwrap_or_else(PoisonError::into_inner);
            drop(server.take());
            *server = Some(Server::start(
                &self.programs.join("kube-apiserver"),
                &api_arguments(self.folder(), &self.ports),
                &self.logs.join("kube-apiserver.log"),
            )?);
        }
        ready(&self.api, &self.logs).await
    }
}

impl Ports {
    /// Ports that nobody listens on. They are let go before they are used; whoever takes one in
    /// between makes the start fail, not the tests wrong.
    fn free() -> Result<Self> {
        let listeners: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<std::io::Result<_>>()
            .context("find free ports")?;
        let port = |place: usize| listeners[place].local_addr().map(|address| address.port());
        Ok(Self { etcd: port(0)?, etcd_peer: port(1)?, api: port(2)? })
    }
}

async fn ready(api: &Api, logs: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
    loop {
        let answer = api.send(reqwest::Method::GET, "/readyz", None).await;
        if matches!(answer, Ok((200, _))) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let state = match answer {
                Ok((status, body)) => format!("/readyz was answered {status}: {body}"),
                Err(error) => format!("{error:#}"),
            };
            bail!(
                "the API server is not ready after {READY_SECONDS_MAX} s ({state}); its log is in {}",
                logs.display()
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

fn etcd_arguments(folder: &Path, ports: &Ports) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Nothing here has to survive.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn api_arguments(folder: &Path, ports: &Ports) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={}", ports.api),
        format!("--cert-dir={}", file("generated")),
        format!("--tls-cert-file={}", file("server.pem")),
        format!("--tls-private-key-file={}", file("server-key.pem")),
        format!("--client-ca-file={}", file("ca.pem")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://127.0.0.1".to_owned(),
        format!("--service-account-key-file={}", file("accounts.pem")),
        format!("--service-account-signing-key-file={}", file("accounts-key.pem")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // Pods need no account: nobody runs them.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ]
}

fn manager_arguments(folder: &Path) -> Vec<String> {
    let kubeconfig = folder.join(credentials::ADMIN);
    let mut arguments = vec![format!("--kubeconfig={}", kubeconfig.display())];
    let fixed = [
        "--controllers=deployment,replicaset,statefulset,daemonset,namespace,serviceaccount",
        "--leader-elect=false",
        "--port=0",
        "--secure-port=0",
        // Many scenarios at once; the defaults are for one quiet cluster.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        "--concurrent-deployment-syncs=10",
        "--concurrent-replicaset-syncs=10",
        "--concurrent-statefulset-syncs=10",
    ];
    arguments.extend(fixed.map(str::to_owned));
    arguments
}
