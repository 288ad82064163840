"""Fields that tell of a person: left out or sealed at ingest, shown only to those who may see them.

`paths` changes data at paths; `marks` knows which fields are marked; `sealing` encrypts what is stored; `showing` says
what of an event whoever asks may see; `telling` keeps values out of error messages.
"""
