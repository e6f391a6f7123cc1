namespace TorBalancer.Protocols.Dns;

/// <summary>The types of records that are known here (RFC 1035, section 3.2.2; RFC 3596; RFC 6891).</summary>
internal enum DnsType : ushort
{
    A = 1,
    Ptr = 12,
    Aaaa = 28,

    /// <summary>Not a record but what a message says of its sender.</summary>
    Opt = 41,
}

/// <summary>RCODE, with the bits that EDNS adds (RFC 1035, section 4.1.1; RFC 6891, section 6.1.3).</summary>
internal enum DnsCode : byte
{
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,
    BadVersion = 16,
}
