using System.Net.Security;
using System.Security.Authentication;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Server;

/// <summary>
/// The certificates of TLS listeners: read when a listener is bound, and again with each reload and each minute, because who renews them
/// writes over their files. A pair that is wrong changes nothing: the one before stays in use.
/// </summary>
/// <remarks>What is in the files is compared, not their times: a name may be a link that leads elsewhere tomorrow.</remarks>
internal sealed partial class ListenerCertificates(TimeProvider time, ILogger<ListenerCertificates> logger) : IDisposable
{
    /// <summary>How often it is looked whether the files have changed.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private volatile Dictionary<CertificateFiles, Entry> _entries = [];
    private ITimer? _timer;

    /// <summary>What a handshake shows that begins now; null: these files were never taken.</summary>
    public SslServerAuthenticationOptions? Find(CertificateFiles files) => _entries.GetValueOrDefault(files)?.Options;

    /// <summary>Takes note of these files, if they are new. Null, or what is wrong with them.</summary>
    public string? Take(CertificateFiles files)
    {
        lock (_lock)
        {
            if (_entries.ContainsKey(files))
                return null;
            var entry = new Entry { Text = CertificatePair.TextOf(files, DiskFiles.Instance) };
            if (CertificatePair.Read(files, DiskFiles.Instance, out string problem) is not { } pair)
                return problem;
            entry.Options = OptionsOf(pair);
            _entries = new Dictionary<CertificateFiles, Entry>(_entries) { [files] = entry };
            _timer ??= time.CreateTimer(static state => ((ListenerCertificates)state!).Look(), this, LookInterval, LookInterval);
            return null;
        }
    }

    /// <summary>Forgets all files but these.</summary>
    public void Keep(IReadOnlyList<CertificateFiles> files)
    {
        lock (_lock)
            _entries = _entries.Where(one => files.Contains(one.Key)).ToDictionary();
    }

    /// <summary>Reads again what has changed.</summary>
    public void Look()
    {
        lock (_lock)
        {
            foreach (var (files, entry) in _entries)
                Look(files, entry);
        }
    }

    public void Dispose() => _timer?.Dispose();

    private void Look(CertificateFiles files, Entry entry)
    {
        string? text = CertificatePair.TextOf(files, DiskFiles.Instance);

        // What is wrong with them may be the mode of a file, which its text does not show.
        if (text == entry.Text && entry.Problem is null)
            return;
        entry.Text = text;
        if (CertificatePair.Read(files, DiskFiles.Instance, out string problem) is { } pair)
        {
            entry.Options = OptionsOf(pair);
            entry.Problem = null;
            Log.Renewed(logger, files.Certificate, pair.Certificate.NotAfter.ToUniversalTime());
        }
        else if (problem != entry.Problem)
        {
            entry.Problem = problem;
            Log.Kept(logger, files.Certificate, problem);
        }
    }

    /// <summary>HTTP/1.1 is all that can be agreed on (RFC 7301): there is no HTTP/2 here. Whoever speaks SOCKS asks for nothing.</summary>
    private static SslServerAuthenticationOptions OptionsOf(CertificatePair pair) => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(pair.Certificate, pair.Chain, offline: true),
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        ApplicationProtocols = [SslApplicationProtocol.Http11],
        AllowRenegotiation = false,
    };

    private sealed class Entry
    {
        private volatile SslServerAuthenticationOptions? _options;

        /// <summary>Both files as they were read last; null: they could not be read.</summary>
        public string? Text { get; set; }

        /// <summary>Why the pair before them is still in use; null: they are in use themselves.</summary>
        public string? Problem { get; set; }

        public SslServerAuthenticationOptions? Options
        {
            get => _options;
            set => _options = value;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            ServerEventIds.CertificateRenewed, LogLevel.Information,
            "The certificate in {File} is another one; new connections get it. It expires {Expires:u}")]
        public static partial void Renewed(ILogger logger, string file, DateTime expires);

        [LoggerMessage(
            ServerEventIds.CertificateKept, LogLevel.Error,
            "The certificate in {File} has changed and cannot be used, so the one before stays in use: {Problem}")]
        public static partial void Kept(ILogger logger, string file, string problem);
    }
}
