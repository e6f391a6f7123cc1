namespace TorBalancer.Server;

/// <summary>Event ids 2000-2299: listeners, client connections, access log, engine.</summary>
internal static class ServerEventIds
{
    public const int Listening = 2000;
    public const int AcceptFailed = 2001;
    public const int AcceptPaused = 2002;
    public const int ClientRefused = 2003;
    public const int ConnectionFailed = 2004;
    public const int IpOnlyClient = 2005;
    public const int TlsOnPlainPort = 2006;
    public const int Draining = 2007;
    public const int DrainEnded = 2008;
    public const int ListenerFull = 2009;
    public const int ClientNotAllowed = 2010;
    public const int AcceptHeld = 2011;
    public const int AcceptLoopFailed = 2012;
    public const int AcceptHeldByMemory = 2013;
    public const int LingeringFull = 2014;
    public const int NotListening = 2015;
    public const int NotReopened = 2016;
    public const int ProxyHeaderWrong = 2017;
    public const int ProxyHeaderUnasked = 2018;
    public const int PlainOnTlsPort = 2019;
    public const int TlsFailed = 2020;
    public const int CertificateRenewed = 2021;
    public const int CertificateKept = 2022;
    public const int TransparentRefused = 2023;
    public const int HandedOver = 2024;
    public const int TakenOver = 2025;
    public const int NotReleased = 2026;

    public const int Access = 2100;
    public const int RequestAccess = 2101;

    public const int EngineFailed = 2200;
    public const int EngineFellBack = 2201;
}
