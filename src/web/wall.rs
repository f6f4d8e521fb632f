//! `/ws`: a whole wall of tiles over one WebSocket, subprotocol `cctv.wall.1`.
//!
//! Each tile is a task, so no tile waits for another. The tiles share the socket, one message at a
//! time.

pub mod control;
pub mod legacy_ws;
pub mod message_pace;
pub mod order;
pub mod past;
pub mod protocol;
pub mod scene;
pub mod tile;
pub mod upgrade;
pub mod wall_settings;
pub mod ws_sender;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Instant,
};

use smol::{Executor, Task, future::FutureExt};

use crate::hub::ViewerOrigin;
use crate::ptz::Steerer;
use crate::sync::Latch;
use crate::web::{
    Web,
    admission::principal::Revocation,
    http::timeout_socket::Socket,
    ptz,
    stream::{frame::unix_now, frame_limiter::FrameLimiter},
    visible_cameras::VisibleCameras,
};
use control::Told;
use protocol::{Command, TileRequestBody};
use tile::{Tile, TileRequest};
use upgrade::Accepted;
use ws_sender::{End, Keepalive, Outbox, Receiver};

pub const PROTOCOL: &str = "cctv.wall.1";

/// A tile of the wall. Dropping it ends the tile's task and its subscription.
struct ActiveTile {
    camera: String,
    request: Arc<TileRequest>,
    _task: Task<()>,
}

struct Wall<'a> {
    web: &'a Web,
    cameras: VisibleCameras,
    origin: ViewerOrigin,
    outbox: Outbox,
    tasks: &'a Executor<'static>,
    tiles: BTreeMap<u8, ActiveTile>,
    /// Set by the first tile that cannot send.
    broken: Latch,
    errors: usize,
    sent_complaints: Vec<String>,
    /// The name of the wall that the page shows, and what was told of it last. `None`: the page has not said.
    named: Option<(String, Option<Told>)>,
    /// Who the page is, if it steers a camera.
    steerer: Steerer,
    /// Who steers the cameras of the tiles, as far as the page was told that somebody does.
    told_steerers: BTreeMap<String, Steerer>,
}

/// Serves one page until either side ends the connection.
pub async fn serve(socket: Socket, web: &Web, cameras: VisibleCameras, accepted: Accepted) -> io::Result<()> {
    let (sender, mut receiver) = upgrade::open(socket, &accepted, &web.limits).await?.split();
    let outbox = Outbox::new(sender);
    let tasks = Executor::new();
    let broken = Latch::default();
    let revocation = Revocation::new(cameras.principal().clone(), &web.users);
    let wall = Wall {
        web,
        steerer: Steerer::new(cameras.principal().name(), accepted.address),
        told_steerers: BTreeMap::new(),
        cameras,
        origin: accepted.origin,
        outbox: outbox.clone(),
        tasks: &tasks,
        tiles: BTreeMap::new(),
        broken: broken.clone(),
        errors: 0,
        sent_complaints: Vec::new(),
        named: None,
    };
    let end = tasks
        .run(
            // Also while the socket takes nothing, so it is not one of the wall's own events.
            async {
                revocation.revoked().await;
                End::Revoked
            }
            .or(wall.converse(&mut receiver))
            .or(async {
                broken.wait().await;
                End::Gone
            }),
        )
        .await;
    drop(tasks);
    outbox.close(receiver, &end, web.limits.close_timeout).await;
    Ok(())
}

impl Wall<'_> {
    /// Reads messages of the page, and watches the configuration, until the socket must be closed.
    async fn converse(mut self, receiver: &mut Receiver) -> End {
        enum Event {
            Text(Result<String, End>),
            Changed,
            Told,
            Steered,
            Stop(String),
        }
        let cameras_changed = self.cameras.changes();
        let complaints_changed = self.web.agent_status.changes();
        let called_up = self.web.call_ups.changes();
        let steered = self.web.ptz.changes();
        let directed = self.web.scenes.changes();
        let mut keepalive = Keepalive::new(&self.web.limits, Instant::now());
        let outbox = self.outbox.clone();
        loop {
            if self.tell_complaints().await.is_err() {
                return End::Gone;
            }
            // The page comes last, so that a page that sends a lot does not hide the other events.
            let event = async { Event::Stop(self.web.stopping().await) }
                .or(async {
                    let _changed = cameras_changed.changed().or(complaints_changed.changed()).await;
                    Event::Changed
                })
                .or(async {
                    let _changed = steered.changed().await;
                    Event::Steered
                })
                .or(async {
                    let _changed = called_up.changed().or(directed.changed()).await;
                    Event::Told
                })
                .or(async { Event::Text(keepalive.next_text(receiver, &outbox).await) })
                .await;
            let done = match event {
                Event::Text(Ok(text)) => {
                    let commands = protocol::parse(&text, self.web.limits.tiles);
                    if !commands.as_ref().is_ok_and(|commands| commands.iter().all(Command::is_report)) {
                        keepalive.note_command(Instant::now());
                    }
                    self.handle_message(commands).await
                }
                Event::Text(Err(end)) => Err(end),
                Event::Changed => {
                    self.tiles.values().for_each(|tile| tile.request.look());
                    Ok(())
                }
                Event::Steered => self.tell_steerers().await,
                Event::Told => self.tell_wall().await,
                Event::Stop(why) => Err(End::HeadReader(why)),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn tell_complaints(&mut self) -> Result<(), End> {
        if !self.cameras.principal().rights().details {
            return Ok(());
        }
        let complaints = self.web.agent_status.complaints();
        if complaints == self.sent_complaints {
            return Ok(());
        }
        let text = protocol::config(&complaints);
        self.sent_complaints = complaints;
        self.send(text).await
    }

    /// Tells what the page's wall shows, if that has changed. What ends by itself, the page ends.
    async fn tell_wall(&mut self) -> Result<(), End> {
        let Some((name, sent)) = &mut self.named else { return Ok(()) };
        let now = Instant::now();
        let told = Told::of(self.web, name, now);
        if sent.as_ref() == Some(&told) {
            return Ok(());
        }
        let text = protocol::wall(&told.as_json(self.cameras.principal(), now));
        *sent = Some(told);
        self.send(text).await
    }

    /// Tells who steers a camera of the page, if that has changed.
    async fn tell_steerers(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let shown: BTreeSet<_> = self.tiles.values().map(|tile| tile.camera.clone()).collect();
        self.told_steerers.retain(|camera, _| shown.contains(camera));
        for camera in shown {
            let control = self.web.ptz.get(&camera).filter(|_| self.cameras.principal().sees(&camera));
            let by = control.and_then(|control| control.state(now).by);
            if self.told_steerers.get(&camera) == by.as_ref() {
                continue;
            }
            let is_own = by.as_ref() == Some(&self.steerer);
            self.send(protocol::ptz(&ptz::steered(&camera, by.as_ref(), is_own))).await?;
            match by {
                Some(by) => self.told_steerers.insert(camera, by),
                None => self.told_steerers.remove(&camera),
            };
        }
        Ok(())
    }

    async fn handle_message(&mut self, commands: Result<Vec<Command>, String>) -> Result<(), End> {
        let commands = match commands {
            Ok(commands) => commands,
            Err(wrong) => {
                self.errors += 1;
                self.send(protocol::error(&wrong)).await?;
                let limit_exceeded = self.errors >= self.web.limits.bad_messages;
                return if limit_exceeded { Err(End::Misused("too many messages are wrong")) } else { Ok(()) };
            }
        };
        for command in commands {
            match command {
                Command::Show(rendition_requests) => {
                    self.show(rendition_requests).await?;
                    self.tell_steerers().await?;
                }
                Command::Drawn(drawn) => {
                    for (tile, sequence) in drawn {
                        // A tile that was just removed from the wall may still be reported.
                        if let Some(tile) = self.tiles.get(&tile) {
                            tile.request.drawn(sequence);
                        }
                    }
                }
                Command::Wall(name) => {
                    self.named = Some((name, None));
                    self.tell_wall().await?;
                }
                Command::Ping(number) => self.send(protocol::pong(&number, unix_now() / 1000)).await?,
            }
        }
        Ok(())
    }

    /// Replaces the whole set of tiles. A tile that continues to show its camera keeps its
    /// subscription.
    async fn show(&mut self, rendition_requests: Vec<TileRequestBody>) -> Result<(), End> {
        self.tiles.retain(|number, active| {
            rendition_requests.iter().any(|rendition_request| {
                rendition_request.tile == *number
                    && rendition_request.camera == active.camera
                    && !rendition_request.accept.is_empty()
            })
        });
        for TileRequestBody { tile, camera, rendition_request, accept } in rendition_requests {
            if accept.is_empty() {
                let text = format!("tile {tile}: accept must hold one of h264, h265 and jpeg");
                self.send(protocol::error(&text)).await?;
                continue;
            }
            if let Some(active) = self.tiles.get(&tile) {
                active.request.show(rendition_request, accept);
                continue;
            }
            if self.cameras.channel(&camera).is_none() {
                // The tile is added anyway: it reports the same, and shows the camera once it
                // exists.
                let text = format!("tile {tile}: there is no camera {camera:?}");
                self.send(protocol::error(&text)).await?;
            }
            let request = TileRequest::new(rendition_request, accept);
            let task = Tile {
                number: tile,
                camera: camera.clone(),
                cameras: self.cameras.clone(),
                origin: self.origin,
                outbox: self.outbox.clone(),
                request: Arc::clone(&request),
                drawn_limit: self.web.limits.drawn,
                refused_pause: self.web.limits.refused_tile,
                last_sent: String::new(),
                pace: FrameLimiter::default(),
            };
            let broken = self.broken.clone();
            let task = self.tasks.spawn(async move {
                if task.run().await.is_err() {
                    broken.set();
                }
            });
            self.tiles.insert(tile, ActiveTile { camera, request, _task: task });
        }
        Ok(())
    }

    async fn send(&self, text: String) -> Result<(), End> {
        self.outbox.text(text).await.map_err(|_| End::Gone)
    }
}
