namespace TorBalancer.Onion.Descriptors;

/// <summary>What kind of thing is wrong with a descriptor.</summary>
internal enum DescriptorFault : byte
{
    /// <summary>It does not have the form of one.</summary>
    Malformed,

    /// <summary>A signature does not hold.</summary>
    BadSignature,

    /// <summary>It is signed, but not by the service that was asked for.</summary>
    WrongService,

    /// <summary>Its certificate has expired.</summary>
    Expired,

    /// <summary>Only authorized clients can read it (restricted discovery); a publisher is none.</summary>
    Restricted,
}

/// <summary>Why a descriptor cannot be used.</summary>
/// <param name="Detail">For people: what is wrong, and where.</param>
internal readonly record struct DescriptorProblem(DescriptorFault Fault, string Detail)
{
    public static DescriptorProblem Malformed(string detail) => new(DescriptorFault.Malformed, detail);

    public override string ToString() => Detail;
}
