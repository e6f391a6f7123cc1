using System.Globalization;

namespace TorBalancer.Configuration.Reading;

/// <summary>The layers a value can come from; a later one wins over an earlier one.</summary>
internal enum ConfigurationLayer : byte
{
    Defaults,
    File,
    Environment,
    CommandLine,

    /// <summary>DNS, where [Discovery] has it asked.</summary>
    Discovery,

    /// <summary>The admin API, while the daemon runs: until the configuration is read again.</summary>
    Api,
}

/// <summary>Where a value, or a mistake, stands.</summary>
/// <param name="Layer">Which of the layers.</param>
/// <param name="Name">The file's path or the environment variable's name; empty for the others.</param>
/// <param name="Line">Line in the file, from 1; position of the argument on the command line, from 1; else 0.</param>
internal readonly record struct ConfigurationOrigin(ConfigurationLayer Layer, string Name = "", int Line = 0)
{
    public override string ToString() => Layer switch
    {
        ConfigurationLayer.File when Line > 0 => string.Create(CultureInfo.InvariantCulture, $"{Name}:{Line}"),
        ConfigurationLayer.File => Name,
        ConfigurationLayer.Environment when Name.Length > 0 => "environment variable " + Name,
        ConfigurationLayer.Environment => "environment",
        ConfigurationLayer.CommandLine => "command line",
        ConfigurationLayer.Discovery => "[Discovery]",
        ConfigurationLayer.Api => "admin API",
        _ => "built-in defaults",
    };
}
