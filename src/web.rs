//! The wall over HTTP and WebSocket.
