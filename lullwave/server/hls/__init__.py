"""HTTP Live Streaming: each station as AAC segments that any web server or CDN can pass on."""
