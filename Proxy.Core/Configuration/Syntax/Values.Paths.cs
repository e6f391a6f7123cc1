using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;

namespace TorBalancer.Configuration.Syntax;

/// <summary>Paths. They are made absolute here, so that nothing later depends on the working directory.</summary>
internal static partial class Values
{
    private const string UnixPrefix = "unix:";

    /// <summary>sun_path of sockaddr_un (unix(7)) has 108 bytes, one of them for the closing zero.</summary>
    private const int MaxSocketPath = 107;

    public static ValueParser<string> FilePath { get; } = new("a path", ParsePath, IsFree: true);

    public static ValueParser<string> AutoOrPath { get; } = new("auto or a path",
        static (string text, ValueContext context, out string value) =>
        {
            if (!text.Equals("auto", StringComparison.OrdinalIgnoreCase))
                return ParsePath(text, context, out value);
            value = "auto";
            return null;
        }, IsFree: true);

    /// <summary>[Admin] Socket.</summary>
    public static ValueParser<string> AdminSocket { get; } = new("auto, unix:/path or none",
        static (string text, ValueContext context, out string value) =>
        {
            value = text.ToLowerInvariant();
            if (value is "auto" or "none")
                return null;
            if (!IsUnix(text))
            {
                string? meant = text.StartsWith('/') ? UnixPrefix + text : Spelling.Closest(text, ["auto", "none"]);
                return new ValueProblem("is not a unix socket", meant);
            }

            value = text;
            return ParseUnix(text, out _);
        });

    /// <summary>Tls of [Admin] and of a listener.</summary>
    public static ValueParser<CertificateFiles?> CertificateFiles { get; } = new("cert.pem, key.pem: the paths of two files in PEM",
        static (string text, ValueContext context, out CertificateFiles? value) =>
        {
            value = null;
            string[] parts = text.Split(',', StringSplitOptions.TrimEntries);
            if (parts is not [{ Length: > 0 } certificate, { Length: > 0 } key])
                return new ValueProblem(parts.Length == 1 ? "names one file" : "is no pair of files");
            if ((ParsePath(certificate, context, out certificate) ?? ParsePath(key, context, out key)) is { } problem)
                return problem;
            value = new CertificateFiles(certificate, key);
            return null;
        }, IsFree: true);

    private static bool IsUnix(string text) => text.StartsWith(UnixPrefix, StringComparison.OrdinalIgnoreCase);

    private static ValueProblem? ParseUnix(string text, out UnixDomainSocketEndPoint endPoint)
    {
        endPoint = null!;
        string path = text[UnixPrefix.Length..];
        if (!path.StartsWith('/') || path.Contains('\0') || path.EndsWith('/'))
            return new ValueProblem("is not unix: with an absolute path");
        if (Encoding.UTF8.GetByteCount(path) > MaxSocketPath)
            return new ValueProblem("is longer than a unix socket's path can be (107 bytes)", ShowAllowed: false);
        endPoint = new UnixDomainSocketEndPoint(path);
        return null;
    }

    private static ValueProblem? ParsePath(string text, ValueContext context, out string value)
    {
        value = text;
        if (text.Any(char.IsControl))
            return new ValueProblem("holds a control character");
        if (text == "~" || text.StartsWith("~/", StringComparison.Ordinal))
        {
            if (string.IsNullOrEmpty(context.Home))
                return new ValueProblem("begins with ~, but HOME is not set", ShowAllowed: false);
            value = context.Home + text[1..];
        }

        value = Path.GetFullPath(value, context.BaseDirectory);
        return null;
    }
}
