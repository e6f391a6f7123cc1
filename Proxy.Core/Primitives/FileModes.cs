namespace TorBalancer.Primitives;

/// <summary>Permissions of files that hold a secret.</summary>
internal static class FileModes
{
    /// <summary>Any right of anybody but the owner: what is wider than 0700.</summary>
    public const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
}
