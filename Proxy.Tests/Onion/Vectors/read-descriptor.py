#!/usr/bin/python3
"""Reads {"address": …, "text": …} from its input, verifies and decrypts the descriptor with stem, and prints what it found as JSON."""
import json
import sys

from stem.descriptor.hidden_service import HiddenServiceDescriptorV3

given = json.load(sys.stdin)
outer = HiddenServiceDescriptorV3.from_str(given["text"], validate=True)
inner = outer.decrypt(given["address"])
json.dump(dict(
    revisionCounter=str(outer.revision_counter), lifetime=outer.lifetime, signingKey=outer.signing_cert.key.hex(),
    blindedKey=outer.signing_cert.signing_key().hex(), clients=len(inner.outer.clients), formats=inner.formats,
    isSingleOnion=inner.is_single_service, inner=str(inner),
    points=[dict(
        onionKey=point.onion_key_raw, encryptionKey=point.enc_key_raw, authenticationKey=point.auth_key_cert.key.hex(),
        signedBy=point.auth_key_cert.signing_key().hex()) for point in inner.introduction_points]), sys.stdout)
