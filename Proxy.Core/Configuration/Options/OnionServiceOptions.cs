namespace TorBalancer.Configuration.Options;

/// <summary>How many different descriptors the directories of a service get.</summary>
public enum DescriptorSets : byte
{
    /// <summary>One as long as all live instances have a place in it, distinct ones above.</summary>
    Auto,

    /// <summary>The same for all directories: at most 20 introduction points, and so at most 20 instances.</summary>
    One,

    /// <summary>One for each directory, with different instances: up to 60 instances.</summary>
    Distinct,
}

/// <summary>[OnionService:name]: an onion address that is balanced over its instances.</summary>
public sealed class OnionServiceOptions
{
    /// <summary>The most instances of one service.</summary>
    public const int MostInstances = 60;

    /// <summary>The most instances that have a place in one descriptor: tor's clients take no more than 20 introduction points.</summary>
    public const int MostInOneDescriptor = 20;

    /// <summary>The part after the colon of the section name.</summary>
    public required string Name { get; init; }

    /// <summary>Path of the identity key: PKCS#8 in PEM, or tor's hs_ed25519_secret_key. Empty: not given, which is an error.</summary>
    public string Key { get; set; } = "";

    /// <summary>Default auto.</summary>
    public DescriptorSets Descriptors { get; set; }
}
