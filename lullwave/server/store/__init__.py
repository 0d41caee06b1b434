"""Stations that several servers share through a store: one of them produces each, all of them serve it."""
