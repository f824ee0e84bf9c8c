"""Messages beside notices: a payload's bytes to a related message or a nearby alert. Pure.

`recognition` tells the streams apart and leads to the decoder of each. What a decoder can't understand it
leaves out; what isn't a message at all is undecodable, with one sentence. No address in a message is fetched.
"""
