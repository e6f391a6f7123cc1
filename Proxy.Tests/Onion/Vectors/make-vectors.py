#!/usr/bin/python3
"""Makes vectors.json: what Debian's onionbalance 0.2.2 and python3-stem 1.8.1 compute from fixed inputs.

    apt-get install onionbalance python3-stem
    /usr/bin/python3 make-vectors.py > vectors.json

Onionbalance's own code runs, with its clock set and its controller left out. Descriptors hold random salts, so each run makes other
ones; all else stays the same.
"""
import base64
import datetime
import hashlib
import json
import logging
import random
import sys
import types

import onionbalance.hs_v3.onionbalance as ob
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from onionbalance.hs_v3 import consensus, descriptor, hashring, tor_ed25519, tor_node
from onionbalance.hs_v3.ext import ed25519_exts_ref
from stem.client.datatype import LinkByFingerprint, LinkByEd25519, LinkByIPv4
from stem.descriptor import hidden_service
from stem.descriptor.hidden_service import HiddenServiceDescriptorV3, InnerLayer, IntroductionPointV3, OuterLayer
from stem.descriptor.microdescriptor import Microdescriptor
from stem.descriptor.networkstatus import NetworkStatusDocumentV3

logging.disable(logging.CRITICAL)

# Onionbalance shuffles the introduction points that it is given; here they keep their order.
random.shuffle = lambda items: None
EPOCH = datetime.datetime(1970, 1, 1)


def bytes_of(label, length=32):
    return hashlib.shake_256(label.encode()).digest(length)


def signing_key(label):
    return Ed25519PrivateKey.from_private_bytes(bytes_of(label))


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def set_clock(seconds):
    now = EPOCH + datetime.timedelta(seconds=seconds)

    class Clock(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return now

    fake = types.SimpleNamespace(datetime=Clock, timedelta=datetime.timedelta)
    consensus.datetime = descriptor.datetime = fake
    import stem.descriptor.certificate
    stem.descriptor.certificate.datetime = fake


def relay(i):
    fingerprint = bytes_of("relay %d" % i, 20)
    microdescriptor = "onion-key\n-----BEGIN RSA PUBLIC KEY-----\n%s\n-----END RSA PUBLIC KEY-----\nntor-onion-key %s\nid ed25519 %s\n" % (
        base64.b64encode(bytes_of("onion-key %d" % i, 45)).decode(),
        base64.b64encode(bytes_of("ntor %d" % i)).decode(),
        base64.b64encode(bytes_of("identity %d" % i)).decode().rstrip("="))
    digest = base64.b64encode(hashlib.sha256(microdescriptor.encode()).digest()).decode().rstrip("=")
    flags = "Fast Running V2Dir Valid" if i % 7 == 3 else "Fast Guard HSDir Running Stable V2Dir Valid"
    protocols = "Cons=1-2 HSDir=1 Relay=1-4" if i % 11 == 5 else "Cons=1-2 Desc=1-2 HSDir=%s HSIntro=4-5 Relay=1-4" % ("2" if i % 2 else "1-2")
    lines = "r relay%d %s 2038-01-01 00:00:00 10.0.%d.1 9001 0\nm %s\ns %s\nv Tor 0.4.9.11\npr %s\nw Bandwidth=100\n" % (
        i, base64.b64encode(fingerprint).decode().rstrip("="), i, digest, flags, protocols)
    return lines, microdescriptor


def network(valid_after, interval, relays, shared_random):
    def time(seconds):
        return (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    text = "network-status-version 3 microdesc\nvote-status consensus\nconsensus-method 33\n"
    text += "valid-after %s\nfresh-until %s\nvalid-until %s\n" % (time(valid_after), time(valid_after + interval), time(valid_after + 3 * interval))
    text += "voting-delay 300 300\nknown-flags Fast Guard HSDir Running Stable V2Dir Valid\n"
    text += "params CircuitPriorityHalflifeMsec=30000 hs_service_max_rdv_failures=1\n"
    if shared_random:
        text += "shared-rand-previous-value 9 %s\nshared-rand-current-value 9 %s\n" % tuple(
            base64.b64encode(bytes_of(label)).decode() for label in ("previous", "current"))
    all_relays = [relay(i) for i in range(relays)]
    text += "".join(lines for lines, _ in sorted(all_relays))
    text += "directory-footer\nbandwidth-weights Wbd=0\n"
    # Not everybody's microdescriptor is known.
    return text, "".join(md for i, (_, md) in enumerate(all_relays) if i % 13 != 6)


def load(text, microdescriptors, is_testnet, now):
    set_clock(now)
    main = ob.my_onionbalance
    main.is_testnet = is_testnet
    main.consensus = consensus.Consensus(do_refresh_consensus=False)
    main.consensus.consensus = NetworkStatusDocumentV3(text.encode())
    by_digest = {}
    for part in microdescriptors.split("onion-key\n-----")[1:]:
        one = Microdescriptor(("onion-key\n-----" + part).encode().replace(b"ntor-onion-key\n", b""))
        by_digest[one.digest()] = one
    main.consensus.nodes = [
        tor_node.Node(by_digest[status.microdescriptor_digest], status)
        for status in main.consensus.consensus.routers.values() if status.microdescriptor_digest in by_digest]
    return main.consensus


def blinding():
    result = []
    for i, (number, length) in enumerate([(20777, 1440), (1, 30), (3713456, 8), (2**40, 14400)]):
        key = signing_key("service %d" % i)
        public = raw(key.public_key())
        current = consensus.Consensus(do_refresh_consensus=False)
        current.get_time_period_length = lambda: length
        parameter = current.get_blinding_param(public, number)
        blinded = hidden_service._blinded_pubkey(public, parameter)
        message = bytes_of("message %d" % i, 10 + 70 * i)
        expanded = ed25519_exts_ref.expandSK(bytes_of("service %d" % i))
        signature = hidden_service._blinded_sign(message, key, blinded, parameter)
        assert signature == tor_ed25519._blinded_sign_with_tor_key(
            message, tor_ed25519.TorEd25519PrivateKey(expanded), blinded, parameter)
        result.append(dict(
            seed=bytes_of("service %d" % i).hex(), expanded=expanded.hex(), pem=pem(key), publicKey=public.hex(),
            address=HiddenServiceDescriptorV3.address_from_identity_key(public), number=number, length=length,
            blindedKey=blinded.hex(), message=message.hex(), signature=signature.hex(),
            plainSignature=key.sign(message).hex(),
            subcredential=HiddenServiceDescriptorV3._subcredential(public, blinded).hex()))
    return result


class RunStart:
    """Stands for a consensus whose run began at a given time."""
    def __init__(self, start):
        self.start = start

    def get_start_time_of_previous_srv_run(self):
        return self.start

    def get_start_time_of_current_srv_run(self):
        return self.start


def revisions():
    result = []
    seed = bytes_of("service 0")
    for form, key, stored in (
            ("pem", signing_key("service 0"), seed),
            ("tor", tor_ed25519.TorEd25519PrivateKey(ed25519_exts_ref.expandSK(seed)), ed25519_exts_ref.expandSK(seed))):
        for elapsed in (0, 1, 7, 511, 512, 3600, 86399, 86400, 172799):
            set_clock(1700000000 + elapsed)
            ob.my_onionbalance.consensus = RunStart(1700000000)
            counter = object.__new__(descriptor.OBDescriptor)._get_revision_counter(key, True)
            result.append(dict(form=form, key=stored.hex(), elapsed=elapsed, counter=str(counter)))
    return result


def directories(blinded, is_first):
    # Past the ring's end Onionbalance takes the first relay twice, finds one too few, and does not publish (or, on a testing network,
    # publishes to fewer): there is nothing to compare with then.
    found = []

    class Ring(list):
        def __getitem__(self, index):
            if index >= len(self):
                found.append(index)
            return super().__getitem__(index)

    hashring.sorted = lambda keys: Ring(sorted(keys))
    try:
        result = hashring.get_responsible_hsdirs(blinded, is_first)
    except hashring.EmptyHashRing:
        result = None
    return None if found else result


def terms():
    result = []
    day = 1795132800  # 2026-11-20 00:00:00
    services = [raw(signing_key("service %d" % i).public_key()) for i in range(4)]
    for is_testnet, interval, relays, times in (
            (False, 3600, 60, [day + 3600 * h for h in (0, 1, 11, 12, 13, 23, 24, 35)]),
            (True, 20, 24, [day + 20 * r + 7 for r in (0, 1, 11, 12, 13, 23, 24, 35, 36, 47)])):
        for valid_after in times:
            for shared_random in (True, False):
                text, microdescriptors = network(valid_after, interval, relays, shared_random)
                current = load(text, microdescriptors, is_testnet, valid_after + 5)
                entry = dict(
                    isTestingNetwork=is_testnet, interval=interval, relays=relays, validAfter=valid_after, hasSharedRandom=shared_random,
                    terms=[])
                for is_first in (True, False):
                    srv, number = hashring.get_srv_and_time_period(is_first)
                    blinded = [hidden_service._blinded_pubkey(one, current.get_blinding_param(one, number)) for one in services]
                    entry["terms"].append(dict(
                        number=number, length=current.get_time_period_length(), sharedRandom=srv.hex(),
                        runStart=current.get_start_time_of_previous_srv_run() if is_first else current.get_start_time_of_current_srv_run(),
                        services=[dict(blindedKey=one.hex(), directories=directories(one, is_first)) for one in blinded]))
                result.append(entry)
    return result


def introduction_point(label, signer, expiration):
    links = [LinkByIPv4("10.1.2.3", 9001), LinkByFingerprint(bytes_of(label + " id", 20)), LinkByEd25519(bytes_of(label + " ed"))]
    return IntroductionPointV3.create_for_link_specifiers(
        links, expiration=expiration, onion_key=X25519PrivateKey.from_private_bytes(bytes_of(label + " onion")),
        enc_key=X25519PrivateKey.from_private_bytes(bytes_of(label + " enc")), auth_key=signing_key(label + " auth"), signing_key=signer)


def balanced():
    now = 1795132800 + 9 * 3600 + 1234
    text, microdescriptors = network(1795132800 + 9 * 3600, 3600, 60, True)
    current = load(text, microdescriptors, False, now)
    _, number = hashring.get_srv_and_time_period(True)
    instances, received = [], []
    for i in range(3):
        identity, signer = signing_key("instance %d" % i), signing_key("instance signer %d" % i)
        public = raw(identity.public_key())
        points = [introduction_point("point %d.%d" % (i, j), signer, EPOCH + datetime.timedelta(seconds=now + 3600 * (20 + i + j)))
                  for j in range(3)]
        inner = InnerLayer.create(attr={"flow-control": "1-2 31"} if i else {}, introduction_points=points)
        document = str(HiddenServiceDescriptorV3.create(
            identity_key=identity, signing_key=signer, inner_layer=inner, revision_counter=1000 + i,
            blinding_nonce=current.get_blinding_param(public, number)))
        address = HiddenServiceDescriptorV3.address_from_identity_key(public)
        received.append(descriptor.ReceivedDescriptor(document, address))
        instances.append(dict(
            address=address, text=document, revisionCounter=1000 + i, inner=str(received[-1].v3_desc.decrypt(address)),
            certificate=received[-1].v3_desc.signing_cert.to_base64()))

    # A service with authorized clients: the inner layer needs more than the address.
    restricted = str(HiddenServiceDescriptorV3.create(
        identity_key=identity, signing_key=signer, revision_counter=7, blinding_nonce=current.get_blinding_param(public, number),
        outer_layer=OuterLayer.create(
            inner_layer=inner, revision_counter=7, subcredential=bytes_of("with a descriptor cookie"),
            blinded_key=hidden_service._blinded_pubkey(public, current.get_blinding_param(public, number)))))

    key = signing_key("service 0")
    public = raw(key.public_key())
    address = HiddenServiceDescriptorV3.address_from_identity_key(public)
    chosen = [point for one in received for point in one.v3_desc.decrypt(one.onion_address).introduction_points[:2]]
    result = descriptor.OBDescriptor(address, key, current.get_blinding_param(public, number), chosen, True)
    parsed = HiddenServiceDescriptorV3.from_str(str(result.v3_desc))
    inner = parsed.decrypt(address)
    return dict(
        now=now, number=number, instances=instances, restricted=restricted, address=address, seed=bytes_of("service 0").hex(), consensus=text,
        microdescriptors=microdescriptors, onionbalance=dict(
            text=str(result.v3_desc), revisionCounter=str(parsed.revision_counter), blindedKey=result.get_blinded_key().hex(),
            outer=str(inner.outer), inner=str(inner)))


json.dump(dict(
    blinding=blinding(), revisions=revisions(), relays=[relay(i) for i in range(60)], terms=terms(), balanced=balanced()),
    sys.stdout, indent=1)
print()
