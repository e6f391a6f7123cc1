namespace TorBalancer.Configuration.Reading;

/// <summary>Files that hold passwords.</summary>
internal static class SecretFiles
{
    /// <summary>Warns when every user of the machine can read such a file.</summary>
    public static void WarnIfReadableByAll(string path, IConfigurationFiles files, ConfigurationIssues issues)
    {
        if (files.Mode(path) is { } mode && (mode & UnixFileMode.OtherRead) != 0)
        {
            var origin = new ConfigurationOrigin(ConfigurationLayer.File, path);
            issues.Warning(origin, "holds passwords, but every user of this machine can read it; chmod o-r is advised");
        }
    }
}
