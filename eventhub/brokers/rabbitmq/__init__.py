"""RabbitMQ: a tap on an exchange through a queue of its own, or a queue that is there; classic, quorum or a stream.

`adapter` is the door. Below it, bytes first: `headers` and `properties` tell what a message carries as text and back,
`frames` takes deliveries apart and puts publications together; `connection` connects and says what is wrong in words;
`consuming` (with `acknowledging`) and `publishing` are the two ways of work, each over a connection of its own;
`messages` makes of a delivery what EventHub reads; `stream` keeps the position in a stream; `management` asks
RabbitMQ's management API.
"""
