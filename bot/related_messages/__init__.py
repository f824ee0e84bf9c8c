"""Decoders of messages that name a superevent, or lie near one: from bytes to `RelatedMessage`. Pure.

`recognition` tells the streams apart and leads to the decoder of each. What a decoder can't understand it
leaves out; what isn't a message at all is undecodable, with one sentence. No address in a message is fetched.
"""
