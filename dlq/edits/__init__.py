"""Repairing a dead letter: a new event, made from it by a person, takes its place; the letter stays as it came."""
