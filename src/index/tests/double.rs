//! A Qdrant server for tests: `qdrant-client`'s messages over gRPC on a loopback port, answered by the embedded engine.
//! Calls are told apart by their path; the server traits would want all of their 45 methods written out.

mod shards;
mod vectors;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ::qdrant_client::qdrant::vectors_config::Config;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::server::Grpc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::{ProstCodec, prost};
use tower::service_fn;

use super::DIMENSION;
use crate::config::Secret;
use crate::index::qdrant::{QdrantStore, Server as Named};
use shards::{Answer, Shards};

/// Without it nothing is answered.
const KEY: &str = "secret-key";

/// The server and what it holds; `stop` takes the server away, `start` brings it back at the same address.
pub(crate) struct Double {
    shards: Arc<Shards>,
    /// Bound and never listening, so that nobody takes the port while the server is down.
    port: TcpSocket,
    running: Option<(CancellationToken, JoinHandle<Result<(), tonic::transport::Error>>)>,
}

impl Double {
    /// A server that is down.
    pub(crate) fn down() -> Self {
        Self {
            shards: Arc::default(),
            port: bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            running: None,
        }
    }

    /// A server that is up and empty.
    pub(crate) fn up() -> Self {
        let mut double = Self::down();
        double.start();
        double
    }

    /// Brings the server up.
    pub(crate) fn start(&mut self) {
        let listener = bound(self.port.local_addr().unwrap()).listen(64).unwrap();
        let (shards, stop) = (self.shards.clone(), CancellationToken::new());
        let service = service_fn(move |request| answer(shards.clone(), request));
        let stopped = stop.clone().cancelled_owned();
        let serve = Server::builder().serve_with_incoming_shutdown(service, TcpIncoming::from(listener), stopped);
        self.running = Some((stop, tokio::spawn(serve)));
    }

    /// Takes the server down, with all its connections.
    pub(crate) async fn stop(&mut self) {
        let (stop, served) = self.running.take().unwrap();
        stop.cancel();
        served.await.unwrap().unwrap();
    }

    /// A client of its own, with the right key.
    pub(crate) fn store(&self, collection: &str) -> Arc<QdrantStore> {
        Arc::new(self.connect(KEY, collection, DIMENSION))
    }

    /// Such a client where the server keeps tokens, too.
    pub(crate) fn with_tokens(&self, collection: &str) -> Arc<QdrantStore> {
        let named = Named {
            tokens: true,
            ..self.named(KEY)
        };
        Arc::new(QdrantStore::connect(&named, collection, DIMENSION).unwrap())
    }

    /// A client with that key for vectors of that many numbers.
    pub(super) fn connect(&self, key: &str, collection: &str, dimension: usize) -> QdrantStore {
        QdrantStore::connect(&self.named(key), collection, dimension).unwrap()
    }

    fn named(&self, key: &str) -> Named {
        Named {
            url: format!("http://{}", self.port.local_addr().unwrap()),
            api_key: Some(Secret::from(key.to_owned())),
            tokens: false,
        }
    }

    /// From now on answers that call with that error; none ends it.
    pub(crate) fn refuse(&self, refusal: Option<(&'static str, Status)>) {
        *self.shards.refusal.lock().unwrap() = refusal;
    }

    /// What the collection was made to keep.
    pub(super) fn kept(&self, collection: &str) -> Config {
        self.shards.kept(collection)
    }

    /// The fields of the collection that have a keyword index.
    pub(super) fn indexed(&self, collection: &str) -> Vec<String> {
        self.shards.indexed(collection)
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn answer(shards: Arc<Shards>, request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if request.headers().get("api-key").is_none_or(|key| key != KEY) {
        return Ok(Status::unauthenticated("Invalid API key or JWT").into_http());
    }
    if let Some((call, status)) = shards.refusal.lock().unwrap().clone()
        && path.ends_with(call)
    {
        return Ok(status.into_http());
    }
    Ok(match path.as_str() {
        "/qdrant.Collections/CollectionExists" => unary(shards, request, Shards::exists).await,
        "/qdrant.Collections/Get" => unary(shards, request, Shards::get).await,
        "/qdrant.Collections/Create" => unary(shards, request, Shards::create).await,
        "/qdrant.Points/CreateFieldIndex" => unary(shards, request, Shards::create_field_index).await,
        "/qdrant.Points/Upsert" => unary(shards, request, Shards::upsert).await,
        "/qdrant.Points/Delete" => unary(shards, request, Shards::delete).await,
        "/qdrant.Points/Query" => unary(shards, request, Shards::query).await,
        "/qdrant.Points/QueryBatch" => unary(shards, request, Shards::query_batch).await,
        "/qdrant.Points/Scroll" => unary(shards, request, Shards::scroll).await,
        "/qdrant.Points/Count" => unary(shards, request, Shards::count).await,
        _ => Status::unimplemented(path).into_http(),
    })
}

async fn unary<Q, A>(
    shards: Arc<Shards>,
    request: http::Request<Body>,
    work: fn(&Shards, Q) -> Answer<A>,
) -> http::Response<Body>
where
    Q: prost::Message + Default + 'static,
    A: prost::Message + 'static,
{
    let service = service_fn(move |asked: Request<Q>| {
        let shards = shards.clone();
        async move {
            let worked = tokio::task::spawn_blocking(move || work(&shards, asked.into_inner())).await;
            worked.unwrap().map(Response::new)
        }
    });
    Grpc::new(ProstCodec::<A, Q>::default()).unary(service, request).await
}
